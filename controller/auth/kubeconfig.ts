import { stringify } from 'yaml';
import type { KeyPair } from './key-pair.ts';

export interface KubeconfigParts {
  /** "https://host:6443" */
  readonly server: string;
  /** PEM. */
  readonly ca: string;
  readonly client: KeyPair;
}

/** A standard kubeconfig, complete in itself: kubectl and orc read the same file. */
export function formatKubeconfig({ server, ca, client }: KubeconfigParts): string {
  const user = {
    'client-certificate-data': base64(client.certificate),
    'client-key-data': base64(client.key),
  };
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'orc', cluster: { server, 'certificate-authority-data': base64(ca) } }],
    users: [{ name: 'orc-admin', user }],
    contexts: [{ name: 'orc', context: { cluster: 'orc', user: 'orc-admin' } }],
    'current-context': 'orc',
  });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
