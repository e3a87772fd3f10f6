import type { Readable } from 'node:stream';
import type { ImageLine, ImageRequest, Transfer } from '../../api/node-images.ts';
import type { Clock } from '../../base/clock.ts';
import type { RegistryCredential } from '../ports.ts';
import type { ImageStore } from './image-store.ts';
import { parseReference } from './reference.ts';

/** What acts on images work with. */
export interface ImageDesk {
  readonly store: ImageStore;
  /** Ids and references of what pods and containers of this node stand on, or will. */
  needed(): Promise<ReadonlySet<string>>;
  readonly clock: Clock;
}

export interface ImageCall {
  readonly asked: ImageRequest;
  /** What an import reads. */
  readonly archive: Readable;
  say(line: ImageLine): void;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

const tellEveryMs = 100;

/** Tells that often, and whenever one is done. */
export function tellTransfers({ say }: ImageCall, clock: Clock) {
  let [nextMs, doneBefore] = [0, -1];
  return ({ layers: transfers }: { readonly layers: readonly Transfer[] }) => {
    const done = transfers.filter(({ isDone }) => isDone).length;
    if (done === doneBefore && clock.monotonic() < nextMs) return;
    [nextMs, doneBefore] = [clock.monotonic() + tellEveryMs, done];
    say({ transfers });
  };
}

/** For the registry of that name. */
export function loginOf(
  { user, password = '' }: ImageRequest,
  reference: string,
): readonly RegistryCredential[] {
  const { registry } = parseReference(reference);
  return user === undefined ? [] : [{ registry, username: user, password }];
}
