import type { DefineVerb } from '../cli.ts';

export const defineEvents: DefineVerb = () => {};
