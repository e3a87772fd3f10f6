import type { DefineVerb } from '../cli.ts';

export const defineVersion: DefineVerb = () => {};
