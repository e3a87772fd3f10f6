import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConfigMap } from '../../../../api/config-map.ts';
import { StatusError } from '../../../../api/status.ts';
import type { Objects } from '../../../../controller/store/objects.ts';
import { ownWrites } from '../../../../controller/store/own-writes.ts';
import { anObject } from '../../../support/an-object.ts';
import { type ObjectWorld, objectWorld } from '../../../support/object-world.ts';

let world: ObjectWorld;
beforeEach(async () => {
  world = await objectWorld();
});
afterEach(() => world.stop());

const configMap = (name: string) =>
  anObject(ConfigMap, { metadata: { name, namespace: 'default' } });

it('counts the writes that are still under way when one beside them has failed', async () => {
  const slow = Promise.withResolvers<void>();
  const objects: Objects = {
    ...world.objects,
    async create(kind, object) {
      if (object.metadata.name === 'bad') throw new StatusError('InternalError', 'no');
      await slow.promise;
      return world.objects.create(kind, object);
    },
  };
  const own = ownWrites(objects);
  const both = ['good', 'bad'].map((name) => own.objects.create(ConfigMap, configMap(name)));
  await expect(Promise.all(both)).rejects.toThrow('no');
  const newest = own.newestRevision();
  slow.resolve();
  expect(await newest).toBe(1);
});
