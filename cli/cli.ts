import { list, text, type ValuesOf } from '../base/flags.ts';
import type { Io } from './io.ts';
import { Api } from './resources.ts';

/** Flags that every verb has. */
export const globalFlags = {
  namespace: text('ns', 'of the objects (default: the context’s)').short('n'),
  kubeconfig: text('file', 'how to reach the controller'),
  context: text('name', 'of the kubeconfig'),
  as: text('user', 'in whose name, for who may impersonate him'),
  'as-group': list('group', 'of that user'),
};

export type GlobalFlags = Partial<ValuesOf<typeof globalFlags>>;

/** What a verb works with. */
export function openCli(io: Io, flags: GlobalFlags) {
  const err = (line: string) => void io.stderr.write(`${line}\n`);
  // TLS and YAML are loaded only by verbs that talk to the controller: starting is a part of every answer.
  const api = new Api(async () => {
    const [{ connect }, { findKubeconfig, readConnection }] = await Promise.all([
      import('./client.ts'),
      import('./kubeconfig.ts'),
    ]);
    const path = await findKubeconfig(flags.kubeconfig, io.environment.kubeconfigs);
    const connection = await readConnection(path, flags.context);
    const { as, asGroup } = flags;
    const headers = {
      ...connection.headers,
      ...(as && { 'impersonate-user': as }),
      ...(asGroup && { 'impersonate-group': asGroup }),
    };
    return connect({ ...connection, headers }, (warning) => err(`warning: ${warning}`));
  });
  return {
    io,
    /** Reads the kubeconfig for the first question. */
    api,
    /** -n, or the context's; an empty one would be all. */
    namespace: async () => flags.namespace || (await api.connected()).connection.namespace,
    out: (line: string) => void io.stdout.write(`${line}\n`),
    err,
  };
}

export type Cli = ReturnType<typeof openCli>;
