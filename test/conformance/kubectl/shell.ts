import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { FieldsOf, Kind, KubeObject } from '../../../api/kind.ts';
import type { Fields } from '../../../api/schema.ts';
import type { ClusterWorld } from '../../support/cluster-world.ts';
import {
  type Kubectl,
  type KubectlRun,
  type RunningKubectl,
  startKubectl,
} from '../../support/kubectl.ts';
import { waitFor } from '../../support/wait-for.ts';

/** One kubectl with a namespace and a node of its own in a cluster that all versions share. */
export interface Shell {
  readonly world: ClusterWorld;
  readonly namespace: string;
  readonly node: string;
  /** A file of this shell's own. */
  file(name: string): string;
  since(version: string): boolean;
  /** Words are separated by spaces; a list is taken as it is. */
  run(args: Args, options?: RunOptions): Promise<KubectlRun>;
  start(args: Args, options?: RunOptions): RunningKubectl;
  /** Exits with 0; gives the output. */
  ok(args: Args, options?: RunOptions): Promise<string>;
  /** Exits with 1, or the code given; gives what it said of it. */
  fails(args: Args, options?: RunOptions & { readonly code?: number }): Promise<string>;
  /** What is stored, or undefined. */
  stored<K extends Kind>(kind: K, name: string): Promise<KubeObject<FieldsOf<K>> | undefined>;
  /** Resolves when the cache gives something other than undefined and false. */
  until<T>(what: string, holds: () => T | undefined | false): Promise<T>;
}

type Args = string | readonly string[];
interface RunOptions {
  readonly input?: string | Buffer | object;
  readonly env?: Readonly<Record<string, string>>;
}

export function openShell(world: ClusterWorld, kubectl: Kubectl): Shell {
  const namespace = `v${kubectl.version.replace('.', '-')}`;
  const cacheDir = join(world.dir, namespace);
  const start: Shell['start'] = (args, { input, env } = {}) => {
    const words = typeof args === 'string' ? args.split(' ') : args;
    const text = typeof input === 'object' && !Buffer.isBuffer(input) ? asList(input) : input;
    return startKubectl(kubectl, ['--namespace', namespace, ...words], {
      ...{ kubeconfig: world.kubeconfig, cacheDir },
      ...(text !== undefined && { input: text }),
      // Where `edit` and `diff` put their files.
      env: { ...env, TMPDIR: cacheDir },
    });
  };
  const run: Shell['run'] = (args, options) => start(args, options).ended;
  return {
    ...{ world, namespace, node: `${namespace}-node`, start, run },
    file: (name) => join(cacheDir, name),
    since: (version) => minor(kubectl.version) >= minor(version),
    async ok(args, options) {
      const { code, out, err } = await run(args, options);
      expect({ args, code, err: code === 0 ? '' : err }).toEqual({ args, code: 0, err: '' });
      return out;
    },
    async fails(args, { code = 1, ...options } = {}) {
      const ran = await run(args, options);
      expect({ args, code: ran.code, out: ran.code === code ? '' : ran.out }).toEqual({
        ...{ args, code, out: '' },
      });
      return ran.err;
    },
    stored: <K extends Kind>(kind: K, name: string) =>
      world.objects.get(kind as Kind<Fields>, {
        namespace: kind.namespaced ? namespace : '',
        name,
      }) as Promise<KubeObject<FieldsOf<K>> | undefined>,
    until: (what, holds) => waitFor(what, holds, 20_000),
  };
}

const minor = (version: string) => Number(version.split('.')[1]);

/** Several objects at once are a List. */
const asList = (input: object) =>
  JSON.stringify(
    Array.isArray(input) ? { apiVersion: 'v1', kind: 'List', items: input } : { ...input },
  );

/** What was printed, line by line, with what differs from run to run named: how wide a column is, is kubectl's own business. */
export const rows = (out: string): readonly string[] =>
  out
    .replaceAll(/v1-\d+-node/g, 'NODE')
    .replaceAll(/(?<=\s)(\d+[dhms])+(?=\s)/g, 'AGO')
    .replaceAll(/\b10\.\d+\.\d+\.\d+(:\d+)?/g, 'IP')
    .replaceAll(/\bsite-[a-z0-9]{10}-[a-z0-9]{5}\b/g, 'site-HASH-ID')
    .replaceAll(/\bsite-[a-z0-9]{10}\b/g, 'site-HASH')
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '');

/** Declares a test that every version passes; all of them at the same time. */
export type Conform = ReturnType<typeof conforming>;

export const conforming =
  (shells: () => readonly Shell[]) => (name: string, body: (shell: Shell) => Promise<void>) =>
    it(name, async () => {
      const outcomes = await Promise.allSettled(shells().map((shell) => body(shell)));
      const told = outcomes.flatMap((outcome, i) => {
        const shell = shells()[i];
        return outcome.status === 'rejected' && shell ? [{ shell, why: outcome.reason }] : [];
      });
      const [first] = told;
      if (!first) return;
      if (first.why instanceof Error)
        first.why.message = `${told.map(({ shell }) => shell.namespace).join()}: ${first.why.message}`;
      throw first.why;
    });
