import { checkDnsLabel } from './names.ts';
import * as s from './schema.ts';

const mode = (about: string) => s.int({ min: 0, max: 0o777 }).doc(about);

const keyToPathFields = {
  key: s.str().doc('In its data.').required(),
  path: s.str().doc('Relative, without "..".').required(),
  mode: mode('Permission bits of this file.'),
};

const filesFields = {
  items: s.list(s.obj(keyToPathFields)).doc('Only these keys, at these paths; default all.'),
  defaultMode: mode('Permission bits of the files, default 0644.').default(0o644),
  optional: s.bool().doc("Don't wait for it; the volume is then empty."),
};

/** One volume of a pod. Exactly one source; none means emptyDir. */
export const volumeFields = {
  name: s.str({ check: checkDnsLabel }).doc('Unique in the pod.').required(),
  emptyDir: s
    .obj({
      medium: s
        .str({ values: ['Memory'], lacks: ['HugePages', 'HugePages-2Mi', 'HugePages-1Gi'] })
        .doc("Memory: a tmpfs, counted as the containers' memory."),
      sizeLimit: s.quantity().doc('With medium Memory: writing more fails.'),
    })
    .doc('A directory that lives as long as the pod.'),
  configMap: s
    .obj({ name: s.str().required(), ...filesFields })
    .doc('The keys of a ConfigMap as files; they follow its changes.'),
  secret: s
    .obj({ secretName: s.str().required(), ...filesFields })
    .doc('The keys of a Secret as files; they follow its changes.'),
  ...s.unsupportedFields(
    'awsElasticBlockStore azureDisk azureFile cephfs cinder csi downwardAPI ephemeral fc flexVolume',
    'flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim',
    'photonPersistentDisk portworxVolume projected quobyte rbd scaleIO storageos vsphereVolume',
  ),
};

export type Volume = s.ObjectOf<typeof volumeFields>;
export type KeyToPath = s.ObjectOf<typeof keyToPathFields>;
