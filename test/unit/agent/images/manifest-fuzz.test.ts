import { expect, it } from 'vitest';
import { ImageError } from '../../../../agent/images/image-error.ts';
import { parseManifest } from '../../../../agent/images/manifest.ts';
import { rounds } from '../../../support/rounds.ts';
import { seededRng } from '../../../support/seeded-rng.ts';

const type = 'application/vnd.oci.image.manifest.v1+json';
const digest = `sha256:${'b'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 10 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 20 };
const whole = JSON.stringify({ schemaVersion: 2, mediaType: type, config, layers: [layer, layer] });
const pieces = [
  'null',
  '[]',
  '{}',
  '-1',
  '1e999',
  '""',
  '"sha256:../../x"',
  '2',
  'true',
  '"\\u0000"',
];

it('is parsed or refused in words, however it was damaged (45)', () => {
  const rng = seededRng(45);
  const pick = (limit: number) => Math.floor(rng.fraction() * limit);
  let refused = 0;
  for (let i = 0; i < rounds(500); i++) {
    const at = pick(whole.length);
    const end = at + pick(rng.fraction() < 0.5 ? 3 : 60);
    const damaged = whole.slice(0, at) + pieces[pick(pieces.length)] + whole.slice(end);
    try {
      const parsed = parseManifest(Buffer.from(damaged), type);
      expect(JSON.stringify(parsed)).not.toContain('..');
    } catch (error) {
      expect(error).toBeInstanceOf(ImageError);
      refused++;
    }
  }
  expect(refused).toBeGreaterThan(rounds(250));
});
