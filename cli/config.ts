import { join } from 'node:path';

/** What the command line reads from its environment, and from nowhere else. */
export interface CliEnvironment {
  /** Where a kubeconfig is looked for when --kubeconfig isn't given: the first that exists. */
  readonly kubeconfigs: readonly string[];
  readonly noColour: boolean;
  /** COLUMNS, for output that isn't a terminal's own width. */
  readonly columns: number | undefined;
  /** A program and its first arguments. */
  readonly editor: readonly string[];
}

export function readEnvironment(env: NodeJS.ProcessEnv = process.env): CliEnvironment {
  const { KUBECONFIG = '', HOME = '', NO_COLOR = '', COLUMNS = '' } = env;
  const { KUBE_EDITOR = '', EDITOR = '' } = env;
  const given = KUBECONFIG.split(':').filter((path) => path !== '');
  const usual = [
    '/etc/orc/admin.kubeconfig',
    ...(HOME === '' ? [] : [join(HOME, '.kube/config')]),
    // On a controller's machine; only root sees it.
    '/var/lib/orc/controller/admin.kubeconfig',
  ];
  return {
    kubeconfigs: given.length > 0 ? given : usual,
    noColour: NO_COLOR !== '',
    columns: /^\d+$/.test(COLUMNS) && Number(COLUMNS) > 0 ? Number(COLUMNS) : undefined,
    editor: (KUBE_EDITOR || EDITOR || 'vi').trim().split(/\s+/),
  };
}
