import { parseIpv4 } from '../base/ipv4.ts';

/** Checks of names, as in Kubernetes' apimachinery validation. Each gives "must …", or undefined when all is well. */

type Check = (name: string) => string | undefined;

const fitting =
  (most: number, pattern: RegExp, why: string): Check =>
  (name) => {
    if (name.length > most) return `must be no more than ${most} characters`;
    return pattern.test(name) ? undefined : why;
  };

export const checkDnsLabel = fitting(
  63,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  "must consist of lower case letters, digits or '-', and start and end with a letter or digit (RFC 1123 label)",
);

export const checkDnsSubdomain = fitting(
  253,
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  "must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit (RFC 1123 subdomain)",
);

/** Names of roles: "system:node" is one. Anything that a path can have between two slashes. */
export function checkPathSegment(name: string): string | undefined {
  if (name === '.' || name === '..') return `may not be '${name}'`;
  if (name.length > 253) return 'must be no more than 253 characters';
  return /[/%\p{Cc}]/u.test(name) ? "may not contain '/', '%' or control characters" : undefined;
}

export function checkConfigMapKey(key: string): string | undefined {
  if (key === '.' || key === '..') return "must not be '.' or '..'";
  return checkKeyCharacters(key);
}

const checkKeyCharacters = fitting(
  253,
  /^[-._a-zA-Z0-9]+$/,
  "must consist of letters, digits, '-', '_' or '.'",
);

/** Services and their like: names that are also host names of the oldest kind. */
export const checkDns1035Label = fitting(
  63,
  /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
  "must consist of lower case letters, digits or '-', start with a letter, and end with a letter or digit (RFC 1035 label)",
);

/** Keys of labels and taints: "app" or "example.com/app". */
export function checkQualifiedName(key: string): string | undefined {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  if (prefix !== undefined) {
    const why = checkDnsSubdomain(prefix);
    if (why !== undefined) return `prefix part ${why}`;
  }
  if (name.length > 63) return 'name part must be no more than 63 characters';
  return /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/.test(name)
    ? undefined
    : "name part must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit";
}

export const checkLabelValue = fitting(
  63,
  /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
  "must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit, or be empty",
);

/** Names of ports (IANA service names). */
export function checkPortName(name: string): string | undefined {
  if (name.length > 15) return 'must be no more than 15 characters';
  if (!/^[-a-z0-9]+$/.test(name)) return "must contain only lower case letters, digits, or '-'";
  if (!/[a-z]/.test(name)) return 'must contain at least one letter (a-z)';
  return /^-|-$|--/.test(name) ? "must not begin or end with '-', or contain '--'" : undefined;
}

/** "http", or a number from 1 to 65535. */
export function checkPortNumberOrName(port: number | string): string | undefined {
  if (typeof port === 'string') return checkPortName(port);
  return port >= 1 && port <= 65_535 ? undefined : 'must be between 1 and 65535, inclusive';
}

export const checkEnvName = (name: string): string | undefined =>
  /^[ -<>-~]+$/.test(name)
    ? undefined
    : "must consist only of printable ASCII characters other than '='";

/** A path inside a volume. */
export function checkRelativePath(path: string): string | undefined {
  if (path.startsWith('/')) return 'must be a relative path';
  if (path.includes('\0')) return 'must not contain a zero byte';
  return path.split('/').includes('..') ? "must not contain '..'" : undefined;
}

/** Without leading zeros, which some programs read as octal. */
export const checkIpv4 = (address: string): string | undefined =>
  parseIpv4(address) === undefined ? 'must be a valid IPv4 address (e.g. 10.9.8.7)' : undefined;
