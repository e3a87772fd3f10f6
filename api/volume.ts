import { checkDnsLabel } from './names.ts';
import {
  bool,
  defaulted,
  int,
  list,
  type ObjectOf,
  obj,
  quantity,
  required,
  str,
  unsupportedFields,
} from './schema.ts';

const mode = (about: string) => int({ min: 0, max: 0o777, about });

const keyToPathFields = {
  key: required(str()),
  path: required(str({ about: 'Relative, without "..".' })),
  mode: mode('Permission bits of this file.'),
};

const filesFields = {
  items: list(obj(keyToPathFields), { about: 'Only these keys, at these paths; default all.' }),
  defaultMode: defaulted(mode('Permission bits of the files, default 0644.'), 0o644),
  optional: bool({ about: "Don't wait for it; the volume is then empty." }),
};

/** One volume of a pod. Exactly one source; none means emptyDir. */
export const volumeFields = {
  name: required(str({ check: checkDnsLabel, about: 'Unique in the pod.' })),
  emptyDir: obj(
    {
      medium: str({
        values: ['Memory'],
        lacks: ['HugePages', 'HugePages-2Mi', 'HugePages-1Gi'],
        about: "Memory: a tmpfs, counted as the containers' memory.",
      }),
      sizeLimit: quantity(),
    },
    { about: 'A directory that lives as long as the pod.' },
  ),
  configMap: obj(
    { name: required(str()), ...filesFields },
    { about: 'The keys of a ConfigMap as files; they follow its changes.' },
  ),
  secret: obj(
    { secretName: required(str()), ...filesFields },
    { about: 'The keys of a Secret as files; they follow its changes.' },
  ),
  ...unsupportedFields(
    'awsElasticBlockStore',
    'azureDisk',
    'azureFile',
    'cephfs',
    'cinder',
    'csi',
    'downwardAPI',
    'ephemeral',
    'fc',
    'flexVolume',
    'flocker',
    'gcePersistentDisk',
    'gitRepo',
    'glusterfs',
    'hostPath',
    'image',
    'iscsi',
    'nfs',
    'persistentVolumeClaim',
    'photonPersistentDisk',
    'portworxVolume',
    'projected',
    'quobyte',
    'rbd',
    'scaleIO',
    'storageos',
    'vsphereVolume',
  ),
};

export type Volume = ObjectOf<typeof volumeFields>;
export type KeyToPath = ObjectOf<typeof keyToPathFields>;
