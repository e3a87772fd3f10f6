import {
  type CustomResourceDefinition,
  isEstablished,
} from '../../api/custom-resource-definition.ts';
import { kindOf } from '../../api/defined-kind.ts';
import type { Kind } from '../../api/kind.ts';
import { kindPrefix } from './keys.ts';
import type { ServedKinds } from './objects.ts';

/** The kinds that are built in, and those of the definitions that the cache has: it says what becomes of them. */
export function servedKinds(builtIn: readonly Kind[]) {
  const byPrefix = new Map(builtIn.map((kind) => [kindPrefix(kind), kind]));
  let all = builtIn;
  const kinds: ServedKinds = {
    get all() {
      return all;
    },
    has: (kind) => byPrefix.get(kindPrefix(kind)) === kind,
    at: (prefix) => byPrefix.get(prefix),
  };
  /** The kind that this definition made. */
  const by = (definition: CustomResourceDefinition | undefined): Kind | undefined => {
    const kind = definition && byPrefix.get(prefixOf(definition));
    return kind?.defined?.uid === definition?.metadata.uid ? kind : undefined;
  };
  return {
    kinds,
    by,
    /** A definition has come, changed or gone. Gives the kind that is gone with it. */
    follow(before: CustomResourceDefinition | undefined, after?: CustomResourceDefinition) {
      const old = by(before);
      const isSame = before?.metadata.uid === after?.metadata.uid;
      if (old && !isSame) byPrefix.delete(kindPrefix(old));
      const made = after && isEstablished(after) ? kindOf(after) : undefined;
      const holder = made && byPrefix.get(kindPrefix(made));
      // Tables, indexes and watches know it by its identity.
      if (made && old && isSame) Object.assign(old, made);
      else if (made && (!holder || holder.defined)) byPrefix.set(kindPrefix(made), made);
      all = [...byPrefix.values()];
      return isSame ? undefined : old;
    },
  };
}

const prefixOf = ({ spec }: CustomResourceDefinition) =>
  kindPrefix({ group: spec.group, plural: spec.names.plural });
