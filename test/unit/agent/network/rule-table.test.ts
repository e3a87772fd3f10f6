import { expect, it } from 'vitest';
import {
  emptyRuleState,
  observeRules,
  planRules,
  type RuleChain,
  type RuleTable,
  ruleStateOf,
} from '../../../../agent/network/rule-table.ts';

const chain = (...rules: string[]): RuleChain => ({ hook: undefined, rules });
const table = (
  chains: Record<string, RuleChain>,
  elements: Record<string, string> = {},
): RuleTable => ({
  sets: new Map([
    [
      'services',
      { kind: 'map', definition: 'type x;', elements: new Map(Object.entries(elements)) },
    ],
  ]),
  chains: new Map(Object.entries(chains)),
});
const lines = (commands: string) => commands.split('\n');
const hash = (rules: RuleChain) => [...ruleStateOf(table({ x: rules })).chains.values()][0];

it('makes everything where nothing is: what is referred to first', () => {
  const base = { hook: 'type nat hook prerouting priority -100', rules: ['vmap @services'] };
  const web = chain('dnat to 10.0.0.1:80', 'counter');
  const plan = planRules(emptyRuleState, table({ base, web }, { key: 'goto web' }));
  expect(lines(plan.change)).toEqual([
    'add map ip orc services { type x; }',
    'add chain ip orc base { type nat hook prerouting priority -100; policy accept; }',
    'add chain ip orc web',
    `add rule ip orc base vmap @services comment "${hash(base)}"`,
    `add rule ip orc web dnat to 10.0.0.1:80 comment "${hash(web)}"`,
    'add rule ip orc web counter',
    'add element ip orc services { key : goto web }',
  ]);
  expect(plan.cleanUp).toBe('');
});

it('does nothing where all is right', () => {
  const right = table({ web: chain('accept') }, { key: 'goto web' });
  expect(planRules(ruleStateOf(right), right)).toEqual({ change: '', cleanUp: '' });
});

it('touches only the chain that has changed', () => {
  const before = table({ web: chain('one'), db: chain('two') }, { key: 'goto web' });
  const changed = chain('three');
  const plan = planRules(
    ruleStateOf(before),
    table({ web: changed, db: chain('two') }, { key: 'goto web' }),
  );
  expect(lines(plan.change)).toEqual([
    'flush chain ip orc web',
    `add rule ip orc web three comment "${hash(changed)}"`,
  ]);
});

it('takes elements away before it adds others, and deletes chains in a second transaction', () => {
  const before = table({ web: chain('one') }, { a: 'goto web', b: 'goto web' });
  const after = table({ db: chain('one') }, { b: 'goto db' });
  const plan = planRules(ruleStateOf(before), after);
  expect(lines(plan.change)).toEqual([
    'add chain ip orc db',
    'delete element ip orc services { a }',
    'delete element ip orc services { b }',
    `add rule ip orc db one comment "${hash(chain('one'))}"`,
    'add element ip orc services { b : goto db }',
    'flush chain ip orc web',
  ]);
  expect(plan.cleanUp).toBe('delete chain ip orc web');
});

it("leaves the kernel's own elements alone, and deletes a set when it is no longer wanted", () => {
  const clients = { kind: 'set', definition: 'type y;', elements: undefined } as const;
  const state = {
    chains: new Map<string, string>(),
    sets: new Map([['clients', new Map([['"10.0.0.1"', '']])]]),
  };
  const wanted: RuleTable = { sets: new Map([['clients', clients]]), chains: new Map() };
  expect(planRules(state, wanted)).toEqual({ change: '', cleanUp: '' });
  const none: RuleTable = { sets: new Map(), chains: new Map() };
  expect(planRules(state, none)).toEqual({ change: '', cleanUp: 'delete set ip orc clients' });
});

it("reads what is there from nft's JSON", () => {
  const goto = { goto: { target: 'service/default/web/tcp/80' } };
  const objects = [
    { metainfo: {} },
    { table: { family: 'ip', name: 'orc' } },
    { map: { name: 'services', elem: [[{ concat: ['10.96.0.1', 'tcp', 80] }, goto]] } },
    { set: { name: 'pods', elem: [{ concat: ['orc12', '10.0.0.1'] }] } },
    { set: { name: 'clients' } },
    { chain: { name: 'web' } },
    { chain: { name: 'empty' } },
    { rule: { chain: 'web', comment: 'abc' } },
    { rule: { chain: 'web' } },
  ];
  expect(observeRules(objects)).toEqual({
    sets: new Map([
      ['services', new Map([['10.96.0.1 . tcp . 80', 'goto service/default/web/tcp/80']])],
      ['pods', new Map([['orc12 . 10.0.0.1', '']])],
      ['clients', new Map()],
    ]),
    chains: new Map([
      ['web', 'abc'],
      ['empty', ''],
    ]),
  });
});
