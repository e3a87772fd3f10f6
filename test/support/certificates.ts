import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import { systemRng } from '../../base/rng.ts';
import { openCa } from '../../controller/auth/ca.ts';

/** PEM, and where it is in files. */
export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** A certificate authority in a directory. */
export async function makeAuthority(directory: string) {
  const ca = await openCa({ dir: directory, clock: systemClock(), rng: systemRng() });
  return {
    certFile: join(directory, 'ca.crt'),
    cert: ca.certificate,
    /** `hosts`: names and addresses of a server; none for a client. */
    async issue(name: string, hosts: readonly string[] = []): Promise<Issued> {
      const { key, certificate } = await ca.issue(
        hosts.length > 0 ? { use: 'server', name, hosts } : { use: 'client', name, groups: [] },
      );
      const [certFile, keyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)];
      await writeFile(certFile, certificate);
      await writeFile(keyFile, key);
      return { cert: certificate, key, certFile, keyFile };
    },
  };
}
