import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parse } from 'yaml';
import { isDue } from '../../../../base/certificate-life.ts';
import { silentLog } from '../../../../base/log.ts';
import { publicKeyHash } from '../../../../base/pinned-https.ts';
import { systemRng } from '../../../../base/rng.ts';
import { authenticate, userOfCertificate } from '../../../../controller/auth/authenticate.ts';
import {
  type CertificateAuthority,
  controllerSubject,
  openCa,
} from '../../../../controller/auth/ca.ts';
import { formatKubeconfig } from '../../../../controller/auth/kubeconfig.ts';
import { ensureLeaf, keepRenewed } from '../../../../controller/auth/leaf-certificates.ts';
import { type FakeClock, fakeClock } from '../../../support/fake-clock.ts';
import { waitFor } from '../../../support/wait-for.ts';

const dayMs = 24 * 60 * 60 * 1000;
let dir: string;
let clock: FakeClock;
let ca: CertificateAuthority;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'orc-ca-'));
  clock = fakeClock(Date.parse('2026-01-01T00:00:00Z'));
  ca = await open();
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const open = () => openCa({ dir, clock, rng: systemRng() });
const leaf = (hosts: readonly string[]) => ({
  ca,
  dir,
  file: 'server',
  subject: controllerSubject(hosts),
  clock,
});

describe('the authority', () => {
  it('is the same when it is opened again', async () => {
    const again = await open();
    expect(again.certificate).toBe(ca.certificate);
    const { certificate } = await again.issue(controllerSubject([]));
    const authority = new X509Certificate(ca.certificate);
    expect(new X509Certificate(certificate).verify(authority.publicKey)).toBe(true);
  });

  it('names hosts, addresses and the controller in a server certificate', async () => {
    const { certificate } = await ca.issue(controllerSubject(['10.0.0.1', 'c1.example']));
    const read = new X509Certificate(certificate);
    expect(read.subjectAltName).toBe('DNS:orc-controller, IP Address:10.0.0.1, DNS:c1.example');
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
    expect(read.ca).toBe(false);
  });

  it('names user and groups in a client certificate', async () => {
    const { certificate } = await ca.issue({ use: 'client', name: 'ann', groups: ['a', 'b'] });
    const read = new X509Certificate(certificate);
    expect(read.subject.split('\n')).toEqual(['O=a', 'O=b', 'CN=ann']);
    expect(read.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    expect(userOfCertificate(read.toLegacyObject())).toEqual({
      name: 'ann',
      groups: ['a', 'b', 'system:authenticated'],
    });
    expect(authenticate({})).toBeUndefined();
  });

  it('reads the certificate of a connection once', async () => {
    const { certificate } = await ca.issue({ use: 'client', name: 'ann', groups: [] });
    const getPeerCertificate = vi.fn(() => new X509Certificate(certificate).toLegacyObject());
    const socket = { authorized: true, getPeerCertificate };
    expect([authenticate(socket)?.name, authenticate(socket)?.name]).toEqual(['ann', 'ann']);
    expect(getPeerCertificate).toHaveBeenCalledTimes(1);
  });

  it('refuses what is no certificate request', async () => {
    await expect(ca.signNode('hello', 'host1')).rejects.toMatchObject({
      name: 'CaError',
      reason: 'MalformedRequest',
    });
  });

  it('has a fingerprint that another one has not', async () => {
    const other = await openCa({ dir: join(dir, 'other'), clock, rng: systemRng() });
    expect(publicKeyHash(ca.certificate)).toMatch(/^[0-9a-f]{64}$/);
    expect(publicKeyHash(other.certificate)).not.toBe(publicKeyHash(ca.certificate));
  });
});

describe('a leaf certificate', () => {
  it('is kept while it is good for its hosts', async () => {
    const first = await ensureLeaf(leaf(['10.0.0.1']));
    expect(await ensureLeaf(leaf(['10.0.0.1']))).toEqual(first);
    expect((await ensureLeaf(leaf(['10.0.0.1', '10.0.0.2']))).certificate).not.toBe(
      first.certificate,
    );
  });

  it('is replaced when another authority signed it', async () => {
    const first = await ensureLeaf(leaf([]));
    ca = await openCa({ dir: join(dir, 'other'), clock, rng: systemRng() });
    expect((await ensureLeaf(leaf([]))).certificate).not.toBe(first.certificate);
  });

  it('is due when a third of its life is left', async () => {
    const { certificate } = await ensureLeaf(leaf([]));
    expect(isDue(certificate, clock.now() + 59 * dayMs)).toBe(false);
    expect(isDue(certificate, clock.now() + 61 * dayMs)).toBe(true);
  });

  it('is renewed while the controller runs', async () => {
    const first = await ensureLeaf(leaf([]));
    const renewed: string[] = [];
    const stop = keepRenewed({
      leaf: leaf([]),
      onRenewed: ({ certificate }) => void renewed.push(certificate),
      log: silentLog,
    });
    clock.advance(61 * dayMs);
    await waitFor('the renewal', () => renewed.length > 0);
    await stop();
    expect(renewed[0]).not.toBe(first.certificate);
    expect(await readFile(join(dir, 'server.crt'), 'utf8')).toBe(renewed[0]);
  });
});

it('writes a kubeconfig that holds everything', async () => {
  const client = await ca.issue({ use: 'client', name: 'admin', groups: ['system:masters'] });
  const config: unknown = parse(
    formatKubeconfig({ server: 'https://c1:6443', ca: ca.certificate, client }),
  );
  expect(config).toMatchObject({
    kind: 'Config',
    'current-context': 'orc',
    clusters: [
      {
        cluster: {
          server: 'https://c1:6443',
          'certificate-authority-data': Buffer.from(ca.certificate).toString('base64'),
        },
      },
    ],
  });
});
