import { createHash } from 'node:crypto';

/**
 * An nftables table as data, and how to get from one to another in few steps. What the kernel has is known by names and
 * fingerprints: the first rule of each chain carries its chain's as a comment, so that a restarted agent reads from the
 * kernel what is there, and leaves alone what is right already.
 */
export interface RuleTable {
  readonly sets: ReadonlyMap<string, RuleSet>;
  readonly chains: ReadonlyMap<string, RuleChain>;
}

export interface RuleSet {
  readonly kind: 'set' | 'map';
  /** What stands between the braces of its definition. It may not change under the same name. */
  readonly definition: string;
  /** Key to value ("" in a set); undefined: the kernel itself adds and expires them. */
  readonly elements: Elements | undefined;
}

type Elements = ReadonlyMap<string, string>;

export interface RuleChain {
  /** Of a base chain: where it is hooked in. It may not change under the same name. */
  readonly hook: string | undefined;
  /** At least one. */
  readonly rules: readonly string[];
}

/** What of a table is in the kernel: fingerprints by chain ("" for an empty one), elements by set. */
export interface RuleState {
  readonly sets: ReadonlyMap<string, Elements>;
  readonly chains: ReadonlyMap<string, string>;
}

export const ruleTableName = 'ip orc';
export const emptyRuleState: RuleState = { sets: new Map(), chains: new Map() };

/** Two transactions, "" if there is nothing to do. */
export function planRules(state: RuleState, next: RuleTable) {
  const sets = [...next.sets].flatMap(([name, { elements }]) =>
    elements === undefined ? [] : [[name, elements] as const],
  );
  const change = [
    ...newSets(state, next),
    ...newChains(state, next),
    ...sets.flatMap(([name, now]) =>
      differing(state.sets.get(name) ?? new Map(), now).map(([key]) => deleteElement(name, key)),
    ),
    ...changedRules(state, next),
    ...sets.flatMap(([name, now]) =>
      differing(now, state.sets.get(name)).map(([key, value]) => addElement(name, key, value)),
    ),
    ...[...state.chains.keys()].filter((name) => !next.chains.has(name)).map(flush),
  ];
  // A second one: older kernels refuse to delete a chain together with the map element that leads to it.
  const cleanUp = [
    ...missing(state.chains, next.chains).map((name) => `delete chain ${ruleTableName} ${name}`),
    ...missing(state.sets, next.sets).map((name) => `delete set ${ruleTableName} ${name}`),
  ];
  return { change: change.join('\n'), cleanUp: cleanUp.join('\n') };
}

/** What is in the kernel once the plan for `table` has been carried out. */
export const ruleStateOf = (table: RuleTable): RuleState => ({
  sets: new Map([...table.sets].map(([name, set]) => [name, set.elements ?? new Map()])),
  chains: new Map([...table.chains].map(([name, chain]) => [name, fingerprint(chain)])),
});

/** From the objects that `nft -j list table` prints. Sources: libnftables-json(5). */
export function observeRules(objects: readonly unknown[]): RuleState {
  const sets = new Map<string, Elements>();
  const chains = new Map<string, string>();
  for (const object of objects as readonly ListedObject[]) {
    const set = object.set ?? object.map;
    if (set) sets.set(set.name, new Map((set.elem ?? []).map(observedElement)));
    if (object.chain) chains.set(object.chain.name, '');
    if (object.rule?.comment) chains.set(object.rule.chain, object.rule.comment);
  }
  return { sets, chains };
}

const addElement = (set: string, key: string, value = ''): string =>
  `add element ${ruleTableName} ${set} { ${value ? `${key} : ${value}` : key} }`;

const deleteElement = (set: string, key: string): string =>
  `delete element ${ruleTableName} ${set} { ${key} }`;

interface ListedObject {
  readonly set?: ListedSet;
  readonly map?: ListedSet;
  readonly chain?: { readonly name: string };
  readonly rule?: { readonly chain: string; readonly comment?: string };
}

type ListedSet = Readonly<{ name: string; elem?: readonly unknown[] }>;

type Concatenation = { readonly concat: readonly (string | number)[] };

/** Keys of our own sets and maps are concatenations; other elements (a client's affinity) have no part in plans. */
function observedElement(element: unknown): [string, string] {
  const [key, value] = Array.isArray(element)
    ? (element as [Concatenation, { goto?: { target: string } }])
    : [element as Concatenation, undefined];
  const text = key.concat?.join(' . ') ?? JSON.stringify(key);
  return [text, value?.goto ? `goto ${value.goto.target}` : ''];
}

const newSets = (state: RuleState, next: RuleTable): string[] =>
  [...next.sets]
    .filter(([name]) => !state.sets.has(name))
    .map(([name, set]) => `add ${set.kind} ${ruleTableName} ${name} { ${set.definition} }`);

const newChains = (state: RuleState, next: RuleTable): string[] =>
  [...next.chains]
    .filter(([name]) => !state.chains.has(name))
    .map(([name, { hook }]) => {
      const place = hook === undefined ? '' : ` { ${hook}; policy accept; }`;
      return `add chain ${ruleTableName} ${name}${place}`;
    });

const changedRules = (state: RuleState, next: RuleTable): string[] =>
  [...next.chains].flatMap(([name, chain]) => {
    const [before, after] = [state.chains.get(name), fingerprint(chain)];
    if (before === after) return [];
    const [first, ...rest] = chain.rules;
    return [
      ...(before === undefined ? [] : [flush(name)]),
      `add rule ${ruleTableName} ${name} ${first} comment "${after}"`,
      ...rest.map((rule) => `add rule ${ruleTableName} ${name} ${rule}`),
    ];
  });

/** What of `some` isn't the same in `others`. */
const differing = (some: Elements, others: Elements = new Map()): readonly [string, string][] =>
  [...some].filter(([key, value]) => others.get(key) !== value);

const missing = (state: ReadonlyMap<string, unknown>, next: ReadonlyMap<string, unknown>) =>
  [...state.keys()].filter((name) => !next.has(name));

const flush = (chain: string): string => `flush chain ${ruleTableName} ${chain}`;

const fingerprint = (chain: RuleChain): string =>
  createHash('sha256').update(chain.rules.join('\n')).digest('hex').slice(0, 16);
