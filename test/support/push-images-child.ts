/** Started in the registry's network: builds the named images below a cache directory and pushes them. */
import { buildHelloImage } from '../../dev/images/hello-image.ts';
import { pushImage } from '../../dev/images/push-image.ts';
import { buildNginxImage, buildRedisImage } from './server-images.ts';

const builders: Readonly<Record<string, typeof buildHelloImage>> = {
  hello: buildHelloImage,
  nginx: buildNginxImage,
  redis: buildRedisImage,
};

const [cacheDir = '', ...names] = process.argv.slice(2);
for (const name of names) {
  const image = await builders[name]!(cacheDir);
  await pushImage(image, { registry: 'http://127.0.0.1:5000', repository: name, tag: '1' });
}
