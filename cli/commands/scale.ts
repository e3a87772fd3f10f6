import type { DefineVerb } from '../cli.ts';

export const defineScale: DefineVerb = () => {};
