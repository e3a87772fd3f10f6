/** Checks of names, as in Kubernetes' apimachinery validation. Each gives "must …", or undefined when all is well. */

export function checkDnsLabel(name: string): string | undefined {
  if (name.length > 63) return 'must be no more than 63 characters';
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)
    ? undefined
    : "must consist of lower case letters, digits or '-', and start and end with a letter or digit (RFC 1123 label)";
}

export function checkDnsSubdomain(name: string): string | undefined {
  if (name.length > 253) return 'must be no more than 253 characters';
  return /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name)
    ? undefined
    : "must consist of lower case letters, digits, '-' or '.', and start and end with a letter or digit (RFC 1123 subdomain)";
}

export function checkConfigMapKey(key: string): string | undefined {
  if (key.length > 253) return 'must be no more than 253 characters';
  if (key === '.' || key === '..') return "must not be '.' or '..'";
  return /^[-._a-zA-Z0-9]+$/.test(key)
    ? undefined
    : "must consist of letters, digits, '-', '_' or '.'";
}
