/**
 * `npm run generate-protobuf CHECKOUT…`: writes api/generated/protobuf-messages.ts from checkouts of kubernetes/api,
 * kubernetes/apimachinery and kubernetes/apiextensions-apiserver. generated.proto says numbers and types; what only the Go
 * types say is the JSON name, what is inline, and which zero values their JSON leaves out.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const roots = `
  apiextensions.v1.CustomResourceDefinition
  apps.v1.Deployment apps.v1.ReplicaSet
  authentication.v1.SelfSubjectReview authentication.v1.TokenRequest authentication.v1.TokenReview
  authorization.v1.LocalSubjectAccessReview authorization.v1.SelfSubjectAccessReview
  authorization.v1.SelfSubjectRulesReview authorization.v1.SubjectAccessReview
  autoscaling.v1.Scale coordination.v1.Lease
  core.v1.Binding core.v1.ConfigMap core.v1.Event core.v1.LimitRange core.v1.Namespace
  core.v1.Node core.v1.Pod core.v1.ResourceQuota core.v1.Secret core.v1.Service
  core.v1.ServiceAccount discovery.v1.EndpointSlice meta.v1.DeleteOptions meta.v1.Status
  node.v1.RuntimeClass pkg.runtime.Unknown policy.v1.Eviction rbac.v1.ClusterRole
  rbac.v1.ClusterRoleBinding rbac.v1.Role rbac.v1.RoleBinding scheduling.v1.PriorityClass`;

type Field = readonly [name: string, type: string, form: string | undefined];
const messages = new Map<string, ReadonlyMap<string, Field>>();
for (const checkout of process.argv.slice(2))
  for (const proto of globSync(`${checkout}/**/generated.proto`)) readPackage(proto);

const wanted = new Map<string, ReadonlyMap<string, Field>>();
for (const root of roots.trim().split(/\s+/)) reach(root);
const lines = [...wanted.keys()].sort().map((name) => `  '${name}': ${formatFields(name)},\n`);
writeFileSync(
  `${import.meta.dirname}/../api/generated/protobuf-messages.ts`,
  `// Made by deploy/protobuf-messages.ts from the public definitions of Kubernetes' API.

/** \`omitempty\`: a zero value says the same as none. \`inline\`: its fields stand among those around it. */
export type MessageField = readonly [
  name: string,
  type: string,
  form?: 'list' | 'map' | 'inline' | 'omitempty',
];

/** By the last parts of their package: \`core.v1.Pod\`; each field by its number. */
export const messages: Readonly<Record<string, Readonly<Record<number, MessageField>>>> = {
${lines.join('')}};
`,
);

/** Comments have braces, too. */
function readPackage(path: string): void {
  const text = readFileSync(path, 'utf8').replace(/^\s*\/\/.*$/gm, '');
  const home = shortName(/^package (\S+);$/m.exec(text)?.[1] ?? '');
  const go = globSync(`${dirname(path)}/*.go`).map((file) => readFileSync(file, 'utf8'));
  for (const [, name = '', body = ''] of text.matchAll(/^message (\w+) \{([^}]*)\}/gm)) {
    const struct = new RegExp(`^type ${name} struct \\{\n([^]*?)^\\}`, 'm').exec(go.join('\n'));
    const tags = new Map(
      [...(struct?.[1] ?? '').matchAll(/(\S+)\s+`json:"-?([^"]*)".*protobuf:"\w+,(\d+),/g)].map(
        ([, type = '', json = '', number = '']) => [number, { type, json }],
      ),
    );
    const declared = body.matchAll(/(optional|repeated|map<string,) ([\w.]+)>? (\w+) = (\d+)/g);
    const fields = [...declared].map(([, label, type = '', proto = '', number = '']) => {
      const whole = /^[a-z]\w*$/.test(type) ? type : shortName(`${home}.${type}`);
      const tag = tags.get(number);
      const name = tag?.json.split(',')[0] || proto;
      return [number, [name, whole, formOf(label ?? '', whole, tag)]] as const;
    });
    messages.set(`${home}.${name}`, new Map(fields));
  }
}

/** .k8s.io.api.core.v1.Pod → core.v1.Pod; k8s.io.api.core.v1 → core.v1 */
function shortName(path: string): string {
  return /[a-z]\w*\.[a-z]\w*(\.[A-Z]\w*)?$/.exec(path)?.[0] ?? '';
}

function formOf(label: string, type: string, tag?: Readonly<{ type: string; json: string }>) {
  if (label !== 'optional') return label === 'repeated' ? 'list' : 'map';
  if (tag === undefined || tag.type.startsWith('*')) return undefined;
  if (type.includes('.')) return /^(,inline)?$/.test(tag.json) ? 'inline' : undefined;
  return tag.json.includes(',omitempty') ? 'omitempty' : undefined;
}

function reach(name: string): void {
  const fields = messages.get(name);
  if (fields === undefined) throw new Error(`there is no message ${name}`);
  if (wanted.has(name)) return;
  wanted.set(name, fields);
  for (const [, type] of fields.values()) if (type.includes('.')) reach(type);
}

function formatFields(name: string): string {
  const fields = [...(wanted.get(name) ?? [])].map(([number, parts]) => {
    const texts = parts.filter((part) => part !== undefined).map((part) => `'${part}'`);
    return `${number}: [${texts.join(', ')}]`;
  });
  return `{ ${fields.join(', ')} }`;
}
