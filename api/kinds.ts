import { ConfigMap } from './config-map.ts';
import type { Kind } from './kind.ts';

/** Every kind that orc serves. Served means: its behaviour exists. */
export const kinds: readonly Kind[] = [ConfigMap];
