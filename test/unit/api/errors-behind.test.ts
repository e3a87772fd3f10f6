import { expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { errorsOf } from '../../support/parse.ts';

it('tells of wrong values beside unknown and unsupported fields, all at once', () => {
  const deployment = {
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          containers: [
            { name: 'web', image: 'web:1', prots: [], resources: { limits: { memory: '512m' } } },
          ],
          affinity: { nodeAffinity: {} },
        },
      },
    },
  };
  expect(errorsOf(Deployment, deployment).map((error) => String(error).split(':')[0])).toEqual([
    'spec.template.spec.containers[0].prots',
    'spec.template.spec.affinity',
    'spec.template.spec.containers[0].resources.limits.memory',
  ]);
});
