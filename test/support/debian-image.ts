import { fileURLToPath } from 'node:url';

/** Where tests and the demo keep Debian packages and the images made of them. */
export const cacheDirectory = fileURLToPath(new URL('../../.cache', import.meta.url));
