type Described = Readonly<Record<string, { readonly about: string }>>;

/** `orc --help`. */
export function formatVerbs(verbs: Described, programs: Described): string {
  const lines = (of: Described) =>
    Object.entries(of).map(([name, { about }]) => `  ${name.padEnd(15)} ${about}`);
  return [
    'orc: containers on several hosts, as one',
    '',
    '  orc dev                                a cluster of three hosts on this machine, to try it',
    '  orc apply -f shop.yaml                 make the cluster as a file says',
    '',
    ...lines(verbs),
    '',
    ...lines(programs),
    '',
    '  orc VERB --help shows examples and flags.',
    '',
  ].join('\n');
}
