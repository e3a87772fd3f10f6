import { formatTime } from '../../base/clock.ts';
import type { ApiServerDeps, Call } from './call.ts';
import type { Writer } from './patch/managed-fields.ts';
import type { WriteOptions } from './request-options.ts';

export const applyType = 'application/apply-patch+yaml';

/** As metadata.managedFields will name who sent this. */
export const writerOf = (
  { kind, subresource, contentType }: Call,
  { fieldManager: manager }: WriteOptions,
  { clock }: Pick<ApiServerDeps, 'clock'>,
): Writer => ({
  ...{ kind, subresource, manager, time: formatTime(clock.now()) },
  operation: contentType === applyType ? 'Apply' : 'Update',
});
