import { OciError } from './oci-error.ts';
import type { OciIdMapping } from './oci-spec.ts';

type Maps = readonly OciIdMapping[] | undefined;

/** What the host calls an id of the container; without maps they are the same. Throws OciError. */
export function hostId(maps: Maps, id: number, field: string): number {
  if (maps === undefined || maps.length === 0) return id;
  const range = maps.find((m) => id >= m.containerID && id < m.containerID + m.size);
  if (range === undefined || range.hostID + range.size > 2 ** 32)
    throw new OciError(field, 'invalid', `id ${id} is not mapped`);
  return range.hostID + id - range.containerID;
}

/** As /proc/PID/uid_map is written. */
export const mapText = (maps: Maps = []): string =>
  maps.map((m) => `${m.containerID} ${m.hostID} ${m.size}\n`).join('');
