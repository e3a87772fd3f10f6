import type { DefineVerb } from '../cli.ts';

export const defineToken: DefineVerb = () => {};
