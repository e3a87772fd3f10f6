import { fileURLToPath } from 'node:url';

/** The C program, as native/Makefile builds it. */
export const nativeBinary = fileURLToPath(new URL('build/orc-native', import.meta.url));
