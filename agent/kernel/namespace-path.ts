import { space } from '../../native/generated/binding.ts';
import { type Slot, slotNumber } from './op-fields.ts';

/** A file that stands for a namespace that the shim holds, as long as it lives: to be opened, for setns or rtnetlink. */
export const namespacePath = (shim: { readonly pid: number }, slot: Slot): string =>
  `/proc/${shim.pid}/fd/${spaceDescriptor(slot)}`;

/** The descriptor that a process of ours has of it. */
export const spaceDescriptor = (slot: Slot): number => space.FD + slotNumber(slot);
