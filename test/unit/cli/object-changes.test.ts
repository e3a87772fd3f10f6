import { describe, expect, it } from 'vitest';
import { ConfigMap } from '../../../api/config-map.ts';
import { Deployment } from '../../../api/deployment.ts';
import type { AnyObject, Kind } from '../../../api/kind.ts';
import { parseObject } from '../../../api/prepare.ts';
import type { Fields } from '../../../api/schema.ts';
import { isUnchanged, planChanges } from '../../../cli/object-changes.ts';

function stored<F extends Fields>(kind: Kind<F>, body: object, revision: number): AnyObject {
  const parsed = parseObject(kind, body, { namespace: 'default' });
  if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors));
  const { metadata, ...rest } = parsed.object;
  const meta = { uid: 'u', resourceVersion: String(revision), generation: revision };
  return {
    ...rest,
    metadata: { ...metadata, ...meta, managedFields: [{ manager: `m${revision}` }] },
  } as AnyObject;
}

/** "path: before → after @ place" */
function changes<F extends Fields>(kind: Kind<F>, before: object, written: object) {
  const change = { before: stored(kind, before, 1), after: stored(kind, written, 2), written };
  return planChanges(kind.schema, change).map((one) => {
    const [old, now] = [one.before, one.after].map((value) => JSON.stringify(value) ?? 'nothing');
    return `${one.path}: ${old} → ${now} @ ${one.writtenAt}`;
  });
}

const deployment = (containers: readonly object[], more: object = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { containers } },
    ...more,
  },
});

const configMap = (data: object, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'c', ...metadata },
  data,
});

const containers = 'spec.template.spec.containers';

describe('the plan of a change', () => {
  it('is empty for what differs in revisions and managers only', () => {
    expect(changes(ConfigMap, configMap({ a: '1' }), configMap({ a: '1' }))).toEqual([]);
    const [before, after] = [1, 2].map((revision) => stored(ConfigMap, configMap({}), revision));
    expect(before && after && isUnchanged(before, after)).toBe(true);
  });

  it('names each field, what it was, what it will be', () => {
    const before = configMap({ a: '1', 'n.conf': 'x', gone: 'y' });
    const after = configMap({ a: '2', 'n.conf': 'z' }, { labels: { 'x.io/tier': 'shop' } });
    expect(changes(ConfigMap, before, after)).toEqual([
      'data.a: "1" → "2" @ data.a',
      'data[n.conf]: "x" → "z" @ data[n.conf]',
      'metadata.labels[x.io/tier]: nothing → "shop" @ metadata.labels[x.io/tier]',
      'data.gone: "y" → nothing @ data.gone',
    ]);
  });

  it('tells entries of lists apart by their names, and finds them in the file by number', () => {
    const before = deployment([{ name: 'web', image: 'web:1' }]);
    const after = deployment([
      { name: 'log', image: 'log:1' },
      { name: 'web', image: 'web:2', ports: [{ containerPort: 80 }] },
    ]);
    expect(changes(Deployment, before, after)).toEqual([
      `${containers}[log].name: nothing → "log" @ ${containers}[0].name`,
      `${containers}[log].image: nothing → "log:1" @ ${containers}[0].image`,
      `${containers}[web].image: "web:1" → "web:2" @ ${containers}[1].image`,
      `${containers}[web].ports[80/TCP].containerPort: nothing → 80 @ ${containers}[1].ports[0].containerPort`,
    ]);
    expect(changes(Deployment, after, before)).toContain(
      `${containers}[log].image: "log:1" → nothing @ ${containers}[log].image`,
    );
  });

  it('shows a default where the file has named another value before, or names the default', () => {
    const image = { name: 'web', image: 'web:1' };
    expect(changes(Deployment, deployment([image], { replicas: 3 }), deployment([image]))).toEqual([
      'spec.replicas: 3 → 1 @ spec.replicas',
    ]);
    const added = deployment([
      image,
      { name: 'b', image: 'b:1', terminationMessagePolicy: 'File' },
    ]);
    expect(changes(Deployment, deployment([image]), added)).toContain(
      `${containers}[b].terminationMessagePolicy: nothing → "File" @ ${containers}[1].terminationMessagePolicy`,
    );
  });

  it('shows what fills an empty place, and not that it is empty no more', () => {
    const before = deployment([{ name: 'web', image: 'web:1' }]);
    const limited = { name: 'web', image: 'web:1', resources: { limits: { memory: '64Mi' } } };
    expect(changes(Deployment, before, deployment([limited]))).toEqual([
      `${containers}[web].resources.limits.memory: nothing → "64Mi" @ ${containers}[0].resources.limits.memory`,
    ]);
  });

  it('shows a list without names as a whole', () => {
    const before = deployment([{ name: 'web', image: 'web:1', args: ['a', 'b'] }]);
    const after = deployment([{ name: 'web', image: 'web:1', args: ['b'] }]);
    expect(changes(Deployment, before, after)).toEqual([
      `${containers}[web].args: ["a","b"] → ["b"] @ ${containers}[0].args`,
    ]);
  });
});
