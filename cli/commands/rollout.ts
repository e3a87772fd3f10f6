import type { DefineVerb } from '../cli.ts';

export const defineRollout: DefineVerb = () => {};
