import { existsSync, readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates } from 'node:tls';
import { LineCounter } from 'yaml';
import { checkShape } from '../../api/check-shape.ts';
import { loginIn } from '../../api/docker-config.ts';
import * as field from '../../api/field-error.ts';
import { normalize } from '../../api/normalize.ts';
import * as s from '../../api/schema.ts';
import { errorChain } from '../../base/error-chain.ts';
import { UsageError } from '../../base/flags.ts';
import { type Position, positionAt, positionOf } from '../../base/yaml-position.ts';
import { readYaml } from '../../base/yaml-text.ts';
import { isRegistryAddress, parseReference, registryName } from './reference.ts';
import { type Mirror, noRegistries, type Registries, type RegistryHost } from './registries.ts';
import { type TrustRule, trustedKey } from './trust.ts';

export const usualRegistries = '/etc/orc/registries.yaml';

/** What --registries means; the usual file need not be there. Throws UsageError. */
export function readRegistries(path: string, flag: string): Registries {
  if (path === usualRegistries && !existsSync(path)) return noRegistries;
  try {
    return parseRegistries(path, readFileSync(path, 'utf8'));
  } catch (cause) {
    if (cause instanceof UsageError) throw new UsageError(`--${flag} is wrong:\n${cause.message}`);
    throw new UsageError(`--${flag}: ${path} can't be read`, { cause });
  }
}

/** k3s's format (docs.k3s.io, "Private Registry Configuration"), and a policy. */
const schema = s.obj({
  mirrors: s.map(
    s.obj({
      endpoint: s.list(s.str({ check: endpointError })),
      rewrite: s.map(s.str(), { check: patternError }),
    }),
    { check: hostError },
  ),
  configs: s.map(
    s.obj({
      auth: s.obj(s.all(s.str(), 'username', 'password', 'auth', 'identity_token')),
      tls: s.obj({
        ...s.all(s.str(), 'ca_file', 'cert_file', 'key_file'),
        insecure_skip_verify: s.bool(),
      }),
    }),
    { check: hostError },
  ),
  policy: s.listMap(
    s.obj({
      repository: s.str({ check: repositoryError }).required(),
      ...{ accept: s.bool(), reject: s.bool(), signedBy: s.list(s.str()) },
    }),
    'repository',
  ),
});

type Written = s.TypeOf<typeof schema>;

/** Reads the files that it names, too. Throws UsageError with all that is wrong, "FILE:LINE:COLUMN  PATH: what" each. */
export function parseRegistries(file: string, text: string): Registries {
  const lines = new LineCounter();
  const { documents, faults } = readYaml(text, lines);
  const mistakes = faults.map(({ offset, message }) => told(positionAt(lines, offset), message));
  function told({ line, column }: Position, what: string): string {
    return `${file}:${line}:${column}  ${what}`;
  }
  const refuse = () => {
    if (mistakes.length > 0) throw new UsageError(mistakes.join('\n'));
  };
  refuse();
  const [{ document, value } = {}] = documents;
  if (document === undefined || value === null) return noRegistries;
  const place = (path: string, atKey = false) => positionOf({ document, lines }, { path, atKey });
  const tell = ({ path, reason, message }: field.FieldError) => {
    // Some values are secrets; all of them are where it is said that they are.
    const what = message.replace(/^Invalid value: .*?: (?=must|can't)/s, '');
    const at = place(path, reason === 'FieldUnknown');
    mistakes.push(told(at, [path, what].filter(Boolean).join(': ')));
  };
  const written = normalize(schema, value);
  checkShape(schema, written, field.fieldPath()).forEach(tell);
  refuse();
  const lineOf = (path: string) => `${file}:${place(path).line}`;
  const registries = complete(written as Written, { at: field.fieldPath(), lineOf, tell });
  refuse();
  return registries;
}

interface Place {
  readonly at: field.FieldPath;
  readonly lineOf: (path: string) => string;
  /** What is wrong. */
  readonly tell: (error: field.FieldError) => unknown;
}

function complete({ mirrors, configs, policy = [] }: Written, place: Place): Registries {
  const at = (key: keyof Written, step: string | number) => ({ ...place, at: place.at(key)(step) });
  return {
    mirrors: byRegistry(mirrors, mirrorOf),
    hosts: byRegistry(configs, (one, name) => hostOf({ name, ...one }, at('configs', name))),
    policy: policy.map((rule, i) => ruleOf(rule, at('policy', i))),
  };
}

type Named<T> = Readonly<Record<string, T>>;

function byRegistry<T, U>(of: Named<T> = {}, change: (value: T, name: string) => U): Named<U> {
  const changed = Object.entries(of).map(([name, one]) => [registryName(name), change(one, name)]);
  return Object.fromEntries(changed);
}

type Entry<K extends 'mirrors' | 'configs'> = NonNullable<Written[K]>[string];

const mirrorOf = ({ endpoint = [], rewrite = {} }: Entry<'mirrors'>): Mirror => ({
  bases: endpoint.map(baseOf),
  // As Go writes what a group has matched: ${1} too.
  rewrites: Object.entries(rewrite).map(([pattern, to]) => [
    new RegExp(pattern),
    to.replace(/\$\{(\d+)\}/g, '$$$1'),
  ]),
});

function hostOf({ name, auth, tls }: Entry<'configs'> & { readonly name: string }, place: Place) {
  const { at, tell } = place;
  if (name === '*' && (auth || tls?.cert_file || tls?.insecure_skip_verify))
    tell(field.forbidden(at, 'for every host there may be tls.ca_file only'));
  const login = loginIn({ ...auth, identitytoken: auth?.identity_token });
  if (auth && !login)
    tell(field.required(at('auth'), 'username and password, auth, or identity_token'));
  return {
    login: login && { registry: name, ...login },
    tls: tls && tlsOf(tls, { ...place, at: at('tls') }),
  };
}

type Tls = NonNullable<Entry<'configs'>['tls']>;

function tlsOf(tls: Tls, place: Place): RegistryHost['tls'] {
  const { ca_file, cert_file, key_file, insecure_skip_verify = false } = tls;
  const at = (name: keyof typeof tls) => ({ ...place, at: place.at(name) });
  if ((cert_file === undefined) !== (key_file === undefined))
    place.tell(field.required(place.at, 'cert_file and key_file go together'));
  const ca = used(ca_file, at('ca_file'), (pem) => [...getCACertificates(), certificate(pem)]);
  const cert = used(cert_file, at('cert_file'), certificate);
  const secureContext = key_file
    ? used(key_file, at('key_file'), (key) => createSecureContext({ ca, cert, key }))
    : createSecureContext({ ca });
  return secureContext && { secureContext, rejectUnauthorized: !insecure_skip_verify };
}

/** The same, if it holds one: authorities that hold none are taken for no authorities. */
function certificate(pem: Buffer): Buffer {
  createSecureContext({ cert: pem });
  return pem;
}

function ruleOf(rule: NonNullable<Written['policy']>[number], place: Place): TrustRule {
  const { repository, accept, reject, signedBy = [] } = rule;
  const { at, tell, lineOf } = place;
  if ([accept, reject, signedBy.length > 0].filter(Boolean).length !== 1)
    tell(field.required(at, 'one of accept: true, reject: true and signedBy: [FILE, …]'));
  const keys = signedBy.map((path, i) =>
    used(path, { ...place, at: at('signedBy')(i) }, (pem) => trustedKey(path, pem)),
  );
  const verdict = accept ? 'accept' : reject ? 'reject' : keys.filter((key) => key !== undefined);
  return { repository, writtenAt: lineOf(String(at)), verdict };
}

/** What `use` makes of the file, if it is there and good. */
function used<T>(path: string | undefined, { at, tell }: Place, use: (content: Buffer) => T) {
  if (path === undefined) return undefined;
  try {
    return use(readFileSync(path));
  } catch (error) {
    tell(field.invalid(at, path, `can't be used: ${errorChain(error)}`));
    return undefined;
  }
}

function hostError(name: string): string | undefined {
  return name === '*' || isRegistryAddress(name) ? undefined : 'must be HOST, HOST:PORT or "*"';
}

function endpointError(endpoint: string): string | undefined {
  const url = URL.parse(endpoint);
  const isPlain = url !== null && url.href === url.origin + url.pathname;
  return isPlain && /^https?:$/.test(url.protocol) ? undefined : 'must be like https://HOST:PORT';
}

/** A path other than /v2 stands for that, as with k3s. */
function baseOf(endpoint: string): string {
  const { origin, pathname } = new URL(endpoint);
  return origin + (pathname === '/' ? '/v2' : pathname.replace(/\/$/, ''));
}

function patternError(pattern: string): string | undefined {
  try {
    new RegExp(pattern).test('');
    return undefined;
  } catch (error) {
    return `must be a regular expression: ${errorChain(error)}`;
  }
}

function repositoryError(written: string): string | undefined {
  const hint = 'must be "*", HOST/REPOSITORY or, for all below it, HOST/REPOSITORY/*';
  if (written === '*') return undefined;
  if (/(?<!\/)\*$/.test(written)) return hint;
  const whole = written.replace(/\*$/, 'a/b');
  try {
    const { registry, repository } = parseReference(whole);
    return `${registry}/${repository}` === whole ? undefined : hint;
  } catch (error) {
    return `${hint}: ${errorChain(error)}`;
  }
}
