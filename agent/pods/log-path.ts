import { join } from 'node:path';
import type { ObjectMeta } from '../../api/object-meta.ts';

/** LOG_DIR/NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log, as the kubelet lays logs out. */
export function containerLogPath(
  logDir: string,
  { namespace = '', name = '', uid = '' }: ObjectMeta,
  container: { readonly name: string; readonly attempt: number },
): string {
  return join(logDir, `${namespace}_${name}_${uid}`, container.name, `${container.attempt}.log`);
}
