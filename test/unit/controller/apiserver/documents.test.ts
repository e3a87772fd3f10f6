import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../api/kinds.ts';
import {
  aggregatedList,
  groupList,
  resourceList,
} from '../../../../controller/apiserver/discovery.ts';
import { encodeOpenApiV2 } from '../../../../controller/apiserver/openapi-v2.ts';
import { openApiDocument, openApiIndex } from '../../../../controller/apiserver/openapi-v3.ts';

describe('discovery', () => {
  it('lists each group once, the core group not at all', () => {
    expect(groupList(kinds).groups.map(({ name }) => name)).toEqual([
      'apiextensions.k8s.io',
      'apps',
      'coordination.k8s.io',
      'discovery.k8s.io',
      'node.k8s.io',
      'rbac.authorization.k8s.io',
      'scheduling.k8s.io',
    ]);
  });

  it('names subresources with the group of what they take', () => {
    const { resources } = resourceList(kinds, 'apps/v1');
    expect(resources.find(({ name }) => name === 'deployments/scale')).toMatchObject({
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      namespaced: true,
    });
    expect(resources.find(({ name }) => name === 'deployments')).toMatchObject({
      singularName: 'deployment',
      shortNames: ['deploy'],
      categories: ['all'],
    });
  });

  it('tells everything of a group at once', () => {
    const { items } = JSON.parse(JSON.stringify(aggregatedList(kinds, 'v2')));
    const of = (name: string) =>
      items.find((item: { metadata: object }) =>
        Object.is(Reflect.get(item.metadata, 'name'), name),
      );
    expect(of('')).toMatchObject({ versions: [{ version: 'v1', freshness: 'Current' }] });
    expect(of('apps').versions[0].resources[0]).toMatchObject({
      resource: 'deployments',
      responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
      scope: 'Namespaced',
      singularResource: 'deployment',
      shortNames: ['deploy'],
      subresources: expect.arrayContaining([
        {
          subresource: 'scale',
          responseKind: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
          verbs: ['get', 'patch', 'update'],
        },
      ]),
    });
    const core: readonly { resource: string }[] = of('').versions[0].resources;
    expect(core.find(({ resource }) => resource === 'nodes')).toMatchObject({ scope: 'Cluster' });
    const names = core.map(({ resource }) => resource);
    expect(names).toEqual(names.toSorted());
  });
});

describe('OpenAPI', () => {
  it('v2 says for every kind that its PATCH validates fields', () => {
    const text = encodeOpenApiV2(kinds).toString('latin1');
    for (const { kind } of kinds) expect(text).toContain(`kind: ${kind}\n`);
    expect(text.match(/fieldValidation/g)).toHaveLength(kinds.length);
  });

  it('v3 shows the fields that work, and not the ones that are refused', () => {
    const document = JSON.parse(JSON.stringify(openApiDocument(kinds, 'v1')));
    const service = document.components.schemas['io.k8s.api.core.v1.Service'];
    expect(service.properties.spec.properties.type).toMatchObject({
      type: 'string',
      enum: ['ClusterIP', 'NodePort', 'ExternalName'],
      default: 'ClusterIP',
    });
    expect(service.properties.spec.properties).not.toHaveProperty('externalIPs');
    expect(document.paths['/api/v1/namespaces/{namespace}/services/{name}'].patch).toMatchObject({
      'x-kubernetes-group-version-kind': { group: '', kind: 'Service', version: 'v1' },
    });
  });

  it('v3 addresses change with their contents', () => {
    const urlOf = (some: typeof kinds) => openApiIndex(some).paths['api/v1']?.serverRelativeURL;
    expect(urlOf(kinds)).toMatch(/^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{32}$/);
    expect(urlOf(kinds)).not.toBe(urlOf(kinds.slice(1)));
  });
});
