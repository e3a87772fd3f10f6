import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ImagePort, PullProgress, PullRequest } from '../../agent/ports.ts';

export interface ImageSubject {
  readonly images: ImagePort;
  /** Puts an image at its registry and returns its reference. Layers with the same text are the same layer. */
  publish(image: TestImage): Promise<string>;
  /** Makes pulls of this reference hang until the test ends. */
  hang(reference: string): void;
  close(): Promise<void>;
}

interface TestImage {
  /** NAME:TAG, without a registry. */
  readonly name: string;
  readonly layers: readonly string[];
  readonly cmd: readonly string[];
}

const web = { name: 'team/web:1', layers: ['base', 'web'], cmd: ['serve'] };
const job = { name: 'team/job:1', layers: ['base', 'job'], cmd: ['work'] };

/** What every ImagePort does. `open` is called for each test. */
export function imagePortContract(open: () => Promise<ImageSubject>): void {
  let subject: ImageSubject;
  beforeEach(async () => {
    subject = await open();
  });
  afterEach(() => subject.close());
  const pull = (reference: string, more: Partial<PullRequest> = {}) =>
    subject.images.pull(request(reference, more), new AbortController().signal);

  it('finds nothing before the first pull, and what was pulled after it', async () => {
    const reference = await subject.publish(web);
    expect(await subject.images.find(reference)).toBeUndefined();
    const image = await pull(reference);
    expect(image.references).toEqual([reference]);
    expect(image.config.cmd).toEqual(['serve']);
    expect(await subject.images.find(reference)).toEqual(image);
    expect(await subject.images.list()).toEqual([
      { ...image, lastUsedMs: expect.any(Number), isPinned: false },
    ]);
  });

  it('lists an image once, with every reference that led to it', async () => {
    const first = await subject.publish(web);
    const second = await subject.publish({ ...web, name: 'team/web:stable' });
    await pull(first);
    await pull(second);
    const listed = await subject.images.list();
    expect(listed.map((image) => [...image.references].sort())).toEqual([[first, second].sort()]);
  });

  it('lets a moved tag lead to the new image, and keeps the old one without a name', async () => {
    const reference = await subject.publish(web);
    const old = await pull(reference);
    await subject.publish({ ...web, cmd: ['serve', '--new'] });
    const moved = await pull(reference);
    expect(moved.id).not.toBe(old.id);
    expect((await subject.images.find(reference))?.id).toBe(moved.id);
    const names = new Map((await subject.images.list()).map((i) => [i.id, i.references]));
    expect(names).toEqual(new Map([[old.id, []] as const, [moved.id, [reference]] as const]));
  });

  it('removes an image, again and again, and leaves others whole', async () => {
    const [webReference, jobReference] = [await subject.publish(web), await subject.publish(job)];
    const removed = await pull(webReference);
    const kept = await pull(jobReference);
    for (const _ of [1, 2]) await subject.images.remove(removed.id, Number.POSITIVE_INFINITY);
    expect(await subject.images.find(webReference)).toBeUndefined();
    expect(await subject.images.find(jobReference)).toEqual(kept);
    expect(await subject.images.list()).toMatchObject([kept]);
  });

  it('removes nothing that was found since, and knows when that was', async () => {
    const reference = await subject.publish(web);
    const { id } = await pull(reference);
    const [before] = await subject.images.list();
    const image = await subject.images.find(reference);
    await subject.images.remove(id, (before?.lastUsedMs ?? 0) - 1);
    expect(await subject.images.find(reference)).toEqual(image);
    const [after] = await subject.images.list();
    expect(after?.lastUsedMs).toBeGreaterThanOrEqual(before?.lastUsedMs ?? Number.NaN);
  });

  it('is as whole without the layers that it was unpacked from', async () => {
    const reference = await subject.publish(web);
    const image = await pull(reference);
    expect(await subject.images.dropLayerBlobs()).toBe(2);
    expect(await subject.images.dropLayerBlobs()).toBe(0);
    expect(await subject.images.find(reference)).toEqual(image);
    expect(await pull(reference)).toEqual(image);
  });

  it('gives every caller of the same pull the same image', async () => {
    const reference = await subject.publish(web);
    const images = await Promise.all([pull(reference), pull(reference), pull(reference)]);
    expect(images).toEqual([images[0], images[0], images[0]]);
  });

  it('tells how far it is, and at the end that it is done', async () => {
    const seen: PullProgress[] = [];
    const reference = await subject.publish(web);
    await pull(reference, { onProgress: (progress) => seen.push(progress) });
    const last = seen.at(-1);
    expect(last?.doneBytes).toBe(last?.totalBytes);
    expect(last?.layers.map(({ isDone }) => isDone)).toEqual([true, true]);
  });

  it('refuses what no registry has, and what is no name', async () => {
    const reference = await subject.publish(web);
    const unknown = reference.replace('team/web:1', 'team/nothing:1');
    await expect(pull(unknown)).rejects.toMatchObject({ reason: 'ManifestUnknown' });
    await expect(pull('Not a name')).rejects.toMatchObject({ reason: 'InvalidImageName' });
    expect(await subject.images.list()).toEqual([]);
  });

  it('stops at once when it is aborted', async () => {
    const reference = await subject.publish(web);
    subject.hang(reference);
    const controller = new AbortController();
    const pulling = subject.images.pull(request(reference), controller.signal);
    controller.abort(new Error('no longer wanted'));
    await expect(pulling).rejects.toThrow('no longer wanted');
    expect(await subject.images.find(reference)).toBeUndefined();
  });
}

function request(reference: string, more: Partial<PullRequest> = {}): PullRequest {
  return { reference, credentials: [], onProgress: () => {}, ...more };
}
