import { text, type ValuesOf } from '../base/flags.ts';
import type { Io } from './io.ts';
import { Api } from './resources.ts';

/** What a verb works with. */
export interface Cli {
  readonly io: Io;
  /** Reads the kubeconfig for the first question. */
  readonly api: Api;
  /** -n, or the context's. */
  namespace(): Promise<string>;
  out(line: string): void;
  err(line: string): void;
}

/** Flags that every verb has. */
export const globalFlags = {
  namespace: text('name', 'of the objects (default: the context’s)').short('n'),
  kubeconfig: text('file', 'how to reach the controller'),
  context: text('name', 'of the kubeconfig'),
};

export type GlobalFlags = Partial<ValuesOf<typeof globalFlags>>;

export function openCli(io: Io, flags: GlobalFlags): Cli {
  const err = (line: string) => void io.stderr.write(`${line}\n`);
  // TLS and YAML are loaded only by verbs that talk to the controller: starting is a part of every answer.
  const api = new Api(async () => {
    const [{ connect }, { findKubeconfig, readConnection }] = await Promise.all([
      import('./client.ts'),
      import('./kubeconfig.ts'),
    ]);
    const path = await findKubeconfig(flags.kubeconfig, io.environment.kubeconfigs);
    const connection = await readConnection(path, flags.context);
    return connect(connection, (warning) => err(`warning: ${warning}`));
  });
  return {
    io,
    api,
    namespace: async () => flags.namespace ?? (await api.connected()).connection.namespace,
    out: (line) => void io.stdout.write(`${line}\n`),
    err,
  };
}
