/**
 * What matters of a resolv.conf(5): addresses of servers and domains to search, in their order. Of several `search` or
 * `domain` lines the last counts, as for the C library.
 */
export function parseResolvConf(text: string) {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const search = lines.findLast(([word]) => word === 'search' || word === 'domain');
  return {
    nameservers: lines.flatMap(([word, server]) =>
      word === 'nameserver' && server !== undefined ? [server] : [],
    ),
    search: search?.slice(1).map((domain) => domain.replace(/\.$/, '')) ?? [],
  };
}
