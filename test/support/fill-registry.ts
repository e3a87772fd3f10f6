/** Started by deploy/testbed-image: makes a directory that a registry serves the named images from. */

import { buildHelloImage } from '../../dev/images/hello-image.ts';
import { pushImage } from '../../dev/images/push-image.ts';
import { startRegistry } from '../../dev/images/registry.ts';
import { cacheDirectory } from './debian-image.ts';

const [dataDir = ''] = process.argv.slice(2);
const image = await buildHelloImage(cacheDirectory);
const where = { address: '127.0.0.1', port: 0, dataDir, cacheDir: cacheDirectory };
const registry = await startRegistry(where);
try {
  await pushImage(image, { registry: registry.url, repository: 'hello', tag: '1' });
} finally {
  await registry.stop();
}
