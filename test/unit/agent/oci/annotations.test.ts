import { expect, it } from 'vitest';
import { checkOciSpec } from '../../../../agent/oci/oci-spec.ts';
import { planContainer } from '../../../../agent/oci/plan-container.ts';
import { planSpaces } from '../../../../agent/oci/plan-spaces.ts';

const spec = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: { args: ['true'], cwd: '/', user: { uid: 1, gid: 1 } },
  linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
};
const place = {
  bundle: '/bundle',
  root: undefined,
  cgroups: [],
  attach: [],
  filter: undefined,
  modules: [],
  lockDevices: true,
};
const plan = (text: object) => {
  const checked = checkOciSpec(text);
  return [planSpaces(checked), planContainer(checked, place)];
};

/** Other runtimes obey these: CVE-2024-3154, CVE-2023-6476, and crun's own. */
const annotations = {
  'org.systemd.property.ExecStartPre': "['/bin/sh','-c','touch /evil']",
  'io.kubernetes.cri-o.UnifiedCgroup': 'memory.max=max',
  'io.kubernetes.cri-o.userns-mode': 'auto:keep-id=true',
  'run.oci.handler': 'krun',
  'run.oci.keep_original_groups': '1',
  'run.oci.hooks.stdout': '/evil',
  'run.oci.mount_context_type': 'context',
};

it('annotations change nothing of what is done (35)', () => {
  expect(plan({ ...spec, annotations })).toEqual(plan(spec));
});
