import type { DefineVerb } from '../cli.ts';

export const defineApiResources: DefineVerb = () => {};
