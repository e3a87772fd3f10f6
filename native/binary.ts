import { fileURLToPath } from 'node:url';

/** The C program, as native/Makefile builds it; this module may be a part of ../build/. */
export const nativeBinary = fileURLToPath(new URL('../native/build/orc-native', import.meta.url));
