import type { AnyObject } from '../../api/kind.ts';
import { found } from '../../api/status.ts';
import { type ApiServerDeps, answer, type Call } from './call.ts';
import { answerList } from './list.ts';
import { listOptions } from './request-options.ts';
import type { KindHandles } from './resource-routes.ts';
import { selectionOf } from './selection.ts';

/** For kinds whose objects are made when they are asked for: these can be read, not watched. */
export const computedHandles = (
  read: (call: Call, deps: ApiServerDeps) => readonly AnyObject[],
): KindHandles => ({
  collection: {
    async list(call, deps) {
      const objects = read(call, deps).filter(selectionOf(call.kind, listOptions(call.query)));
      return answerList(call, { objects, revision: deps.cache.revision }, deps);
    },
  },
  object: {
    async get(call, deps) {
      const object = read(call, deps).find(({ metadata }) => metadata.name === call.name);
      return answer(call, found(call.kind, call.name, object), deps);
    },
  },
});
