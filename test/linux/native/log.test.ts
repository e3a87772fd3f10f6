import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  createSandbox,
  logPath,
  messages,
  type NativePod,
  overlayRoot,
  runContainer,
  startContainer,
  startPod,
} from '../../support/native-pod.ts';

let pod: NativePod;

beforeAll(async () => {
  pod = await startPod();
  await createSandbox(pod);
  await pod.shim.run(overlayRoot(pod));
});

afterAll(() => pod.end());

const shell = (script: string) => ['sh', '-c', script];

async function logOf(container: string, script: string): Promise<string> {
  await runContainer(pod, { container, argv: shell(script) });
  return readFileSync(logPath(pod, container), 'utf8');
}

it('writes CRI’s format: time in UTC with nine digits, stream, tag, text', async () => {
  const before = Date.now();
  const text = await logOf('format', 'echo out; echo err >&2; echo; printf "no newline"');
  const lines = text.split('\n').slice(0, -1);
  const parts = lines.map((line) =>
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z) (\w+) (.)( .*)$/.exec(line),
  );
  expect(parts.map((part) => part?.slice(2))).toEqual(
    expect.arrayContaining([
      ['stdout', 'F', ' out'],
      ['stderr', 'F', ' err'],
      ['stdout', 'F', ' '],
      ['stdout', 'F', ' no newline'],
    ]),
  );
  const time = Date.parse(parts[0]![1]!);
  expect(time).toBeGreaterThanOrEqual(before - 1);
  expect(time).toBeLessThanOrEqual(Date.now() + 1);
  expect(lines).toHaveLength(4);
});

it('cuts a line of more than 16 KiB into pieces that add up to it', async () => {
  const text = await logOf('long', "head -c 40000 /bin/busybox | tr -c 'a' 'b'; echo; echo next");
  const tags = text
    .split('\n')
    .slice(0, -1)
    .map((line) => line.split(' ')[2]);
  expect(tags).toEqual(['P', 'P', 'F', 'F']);
  expect(messages(logPath(pod, 'long'), 'stdout').map((m) => m.length)).toEqual([40_000, 4]);
});

it('keeps all of 100,000 lines, in order', async () => {
  await runContainer(pod, { container: 'many', argv: ['seq', '100000'], logMaxBytes: 100_000_000 });
  const lines = messages(logPath(pod, 'many'), 'stdout');
  expect(lines).toEqual(Array.from({ length: 100_000 }, (_, i) => `${i + 1}`));
});

it('rotates between lines, keeps so many files, and loses only the oldest', async () => {
  await runContainer(pod, {
    container: 'rotated',
    argv: ['seq', '10000'],
    logMaxBytes: 50_000,
    logMaxFiles: 3,
  });
  const path = logPath(pod, 'rotated');
  const files = readdirSync(`${pod.dir}/logs`).filter((name) => name.startsWith('rotated'));
  expect(files.sort()).toEqual(['rotated.log', 'rotated.log.1', 'rotated.log.2']);
  const lines = [`${path}.2`, `${path}.1`, path].flatMap((file) => messages(file, 'stdout'));
  const first = Number(lines[0]);
  expect(first).toBeGreaterThan(1);
  expect(lines).toEqual(Array.from({ length: 10_000 - first + 1 }, (_, i) => `${first + i}`));
  for (const file of [`${path}.1`, `${path}.2`]) {
    expect(statSync(file).size).toBeGreaterThanOrEqual(50_000);
    expect(statSync(file).size).toBeLessThan(50_100);
  }
});

it('bounds one endless line too', async () => {
  await runContainer(pod, {
    container: 'endless',
    argv: shell("yes | tr -d '\\n' | head -c 2000000"),
    logMaxBytes: 100_000,
    logMaxFiles: 2,
  });
  const path = logPath(pod, 'endless');
  for (const file of [path, `${path}.1`]) expect(statSync(file).size).toBeLessThan(220_000);
  expect(existsSync(`${path}.2`)).toBe(false);
});

it('appends to what a former attempt has written', async () => {
  await runContainer(pod, { container: 'appended', argv: ['echo', 'first'] });
  await pod.shim.forget('appended');
  await runContainer(pod, { container: 'appended', argv: ['echo', 'second'] });
  expect(messages(logPath(pod, 'appended'), 'stdout')).toEqual(['first', 'second']);
});

it('is readable by root’s group and nobody else', async () => {
  await logOf('mode', 'true');
  expect(statSync(logPath(pod, 'mode')).mode & 0o777).toBe(0o640);
});

it('does not follow a link in its place', async () => {
  symlinkSync(`${pod.dir}/elsewhere`, logPath(pod, 'linked'));
  const started = startContainer(pod, { container: 'linked', argv: ['true'] });
  await expect(started).rejects.toThrow(/start linked: open log: ELOOP/);
  expect(existsSync(`${pod.dir}/elsewhere`)).toBe(false);
});
