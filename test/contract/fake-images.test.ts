import { createHash } from 'node:crypto';
import { describe } from 'vitest';
import { fakeImages } from './fakes/fake-images.ts';
import { imagePortContract } from './image-port.contract.ts';

describe('fake images', () =>
  imagePortContract(async () => {
    const images = fakeImages();
    return {
      images,
      async publish({ name, layers, cmd }) {
        const reference = `registry.test/${name}`;
        const digest = createHash('sha256')
          .update(JSON.stringify([layers, cmd]))
          .digest('hex');
        const config = { entrypoint: [], env: [], workingDir: '', user: '', volumes: [] };
        images.publish(reference, {
          id: `sha256:${digest}`,
          layers: layers.map((text) => `/fake/layers/${text}`),
          config: { ...config, cmd, stopSignal: undefined },
        });
        return reference;
      },
      hang: (reference) => void images.hold(reference),
      close: async () => {},
    };
  }));
