import { expect, it } from 'vitest';
import { Deployment } from '../../../api/deployment.ts';
import { invalid } from '../../../api/status.ts';
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

it('tells a hundred errors, and how many more there are', () => {
  const one = { reason: 'FieldUnknown' as const, message: 'x' };
  const errors = Array.from({ length: 1000 }, (_, i) => ({ ...one, path: `a${i}` }));
  const { message, details } = invalid(Deployment, 'web', errors);
  expect(message).toMatch(/a99: x, and 900 more\]$/);
  expect(details.causes).toHaveLength(100);
});
