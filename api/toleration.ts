import type { Taint } from './node.ts';
import type { Toleration } from './pod-spec.ts';

/** Whether a pod with this toleration puts up with the taint, at least for a while. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = '', operator = 'Equal', value = '', effect } = toleration;
  if (effect && effect !== taint.effect) return false;
  if (key === '') return operator === 'Exists';
  if (key !== taint.key) return false;
  return operator === 'Exists' || value === (taint.value ?? '');
}
