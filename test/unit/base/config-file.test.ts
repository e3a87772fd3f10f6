import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../../agent/config.ts';
import { configFlag, readConfig } from '../../../base/config-file.ts';
import { list, on, text, UsageError } from '../../../base/flags.ts';
import { readControllerConfig } from '../../../controller/config.ts';

const dir = mkdtempSync(join(tmpdir(), 'orc-config-file-'));
afterAll(() => rmSync(dir, { recursive: true }));
const path = join(dir, 'role.yaml');

const flags = {
  ...configFlag,
  name: text('NAME', 'a name', 'nobody'),
  port: text('PORT', 'a port', '1').whole(1, 100),
  label: list('KEY=VALUE', 'labels'),
  'dry-run': on('a switch'),
};

const read = (file: string, ...argv: string[]) => {
  writeFileSync(path, file);
  return readConfig(['--config', path, ...argv], flags, ({ name, port, label, dryRun }) => ({
    ...{ name, port, label, dryRun },
  }));
};

/** Without the file's own path. */
const findings = (
  text: string,
  ofRole: (argv: readonly string[]) => unknown = (a) => read(text, ...a),
) => {
  writeFileSync(path, text);
  try {
    ofRole(ofRole === readControllerConfig || ofRole === readAgentConfig ? ['--config', path] : []);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message.replaceAll(path, '').split('\n');
  }
  return [];
};

describe('a configuration file', () => {
  it.each([
    [
      'gives what isn’t on the command line',
      'name: a\nport: 7\nlabel: [b=1, c=2]\ndry-run: true\n',
      [],
      { name: 'a', port: 7, label: ['b=1', 'c=2'], dryRun: true },
    ],
    [
      'yields to the command line, list for list',
      'name: a\nlabel: [b=1, c=2]\n',
      ['--name', 'x', '--label', 'd=3'],
      { name: 'x', port: 1, label: ['d=3'], dryRun: false },
    ],
    [
      'may be empty, or all comments',
      '# name: a\n',
      [],
      { name: 'nobody', port: 1, label: [], dryRun: false },
    ],
    [
      'may give one value where a list is possible',
      'label: b=1\n',
      [],
      { name: 'nobody', port: 1, label: ['b=1'], dryRun: false },
    ],
    [
      'keeps numbers as they are written',
      'name: 1.10\n',
      [],
      { name: '1.10', port: 1, label: [], dryRun: false },
    ],
  ])('%s', (_, text, argv, expected) => {
    expect(read(text, ...argv)).toEqual(expected);
  });

  it.each([
    ['nmae: a', [':1:1  nmae is no setting; did you mean name?']],
    ['config: a', [':1:1  config is no setting']],
    ['- name', [':1:1  must be keys with values']],
    [
      'name:\nport: [1]\nlabel: {a: b}\ndry-run: 1',
      [
        ':1:1  name must be NAME',
        ':2:1  port must be PORT',
        ':3:1  label must be a list of KEY=VALUE',
        ':4:1  dry-run must be true',
      ],
    ],
    [
      '# first\nport: 1000\nnme: b',
      [
        ':2:1  port must be a whole number from 1 to 100, not 1000',
        ':3:1  nme is no setting; did you mean name?',
      ],
    ],
    ['name: a\nname: b', [':2:1  Map keys must be unique']],
  ])('with %j says where it is wrong, all at once', (text, expected) => {
    expect(findings(text)).toEqual(expected);
  });

  it('finds each of several mistakes that only the role sees, and settings that are not there', () => {
    const controller = 'pod-cidr: 10.0.0.0/33\nlog-level: loud\nservice-cidr: x\n';
    expect(findings(controller, readControllerConfig)).toEqual([
      ':1:1  pod-cidr must be an IPv4 CIDR of /22 or more, not 10.0.0.0/33',
      ':2:1  log-level must be one of error, warn, info, debug, not loud',
      ':3:1  service-cidr must be an IPv4 CIDR of /28 or more, not x',
    ]);
    expect(
      findings('server-name: []\nlog-lvl: x\njoin: https://a:1\n', readControllerConfig),
    ).toEqual([
      ':2:1  log-lvl is no setting; did you mean log-level?',
      ':3:1  join and token go together',
    ]);
    expect(findings('controller: [a:6444]\n', readAgentConfig)).toEqual([
      "  address is required: this node's IPv4 address for the other nodes",
    ]);
  });

  it('is told what is wrong in the file of registries that it names', () => {
    const registries = join(dir, 'registries.yaml');
    writeFileSync(registries, 'mirors: {}\nconfigs: 1\n');
    const text = `controller: [a:6444]\naddress: 10.0.0.1\nregistries: ${registries}\n`;
    expect(findings(text, readAgentConfig)).toEqual([
      ':3:1  registries is wrong:',
      `${registries}:1:1  mirors: unknown field; did you mean "mirrors"?`,
      `${registries}:2:10  configs: must be an object, not a number`,
    ]);
  });

  it('blames the command line for what was given there, and a file that cannot be read', () => {
    expect(() => read('name: a\n', '--port', 'x')).toThrow(/^--port must be a whole number/);
    expect(() => readConfig(['--config', join(dir, 'none')], flags, () => 0)).toThrow(
      "none can't be read",
    );
  });
});
