import type { DefineVerb } from '../cli.ts';

export const defineDescribe: DefineVerb = () => {};
