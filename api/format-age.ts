/** "5s", "3m20s", "2d4h", "1y30d": durations as kubectl shows them (apimachinery's HumanDuration). */
export function formatAge(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return join([minutes, 'm'], [seconds % 60, 's']);
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return join([hours, 'h'], [minutes % 60, 'm']);
  return hours < 48 ? `${hours}h` : formatDays(Math.floor(hours / 24), hours % 24);
}

/** The time since an RFC 3339 time. */
export const formatSince = (time: string | undefined, now: number): string =>
  time === undefined ? '<unknown>' : formatAge(now - Date.parse(time));

function formatDays(days: number, hours: number): string {
  if (days < 8) return join([days, 'd'], [hours, 'h']);
  if (days < 2 * 365) return `${days}d`;
  const years = Math.floor(days / 365);
  return days < 8 * 365 ? join([years, 'y'], [days % 365, 'd']) : `${years}y`;
}

type Part = readonly [amount: number, unit: string];

const join = ([large, largeUnit]: Part, [small, smallUnit]: Part): string =>
  small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`;
