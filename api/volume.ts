import { checkDnsLabel } from './names.ts';
import * as s from './schema.ts';

const mode = (about: string) => s.int({ min: 0, max: 0o777, about });

const keyToPathFields = {
  key: s.required(s.str()),
  path: s.required(s.str({ about: 'Relative, without "..".' })),
  mode: mode('Permission bits of this file.'),
};

const filesFields = {
  items: s.list(s.obj(keyToPathFields), { about: 'Only these keys, at these paths; default all.' }),
  defaultMode: s.defaulted(mode('Permission bits of the files, default 0644.'), 0o644),
  optional: s.bool({ about: "Don't wait for it; the volume is then empty." }),
};

/** One volume of a pod. Exactly one source; none means emptyDir. */
export const volumeFields = {
  name: s.required(s.str({ check: checkDnsLabel, about: 'Unique in the pod.' })),
  emptyDir: s.obj(
    {
      medium: s.str({
        values: ['Memory'],
        lacks: ['HugePages', 'HugePages-2Mi', 'HugePages-1Gi'],
        about: "Memory: a tmpfs, counted as the containers' memory.",
      }),
      sizeLimit: s.quantity(),
    },
    { about: 'A directory that lives as long as the pod.' },
  ),
  configMap: s.obj(
    { name: s.required(s.str()), ...filesFields },
    { about: 'The keys of a ConfigMap as files; they follow its changes.' },
  ),
  secret: s.obj(
    { secretName: s.required(s.str()), ...filesFields },
    { about: 'The keys of a Secret as files; they follow its changes.' },
  ),
  ...s.unsupportedFields(
    'awsElasticBlockStore azureDisk azureFile cephfs cinder csi downwardAPI ephemeral fc flexVolume',
    'flocker gcePersistentDisk gitRepo glusterfs hostPath image iscsi nfs persistentVolumeClaim',
    'photonPersistentDisk portworxVolume projected quobyte rbd scaleIO storageos vsphereVolume',
  ),
};

export type Volume = s.ObjectOf<typeof volumeFields>;
export type KeyToPath = s.ObjectOf<typeof keyToPathFields>;
