import { Event, lastHappened } from '../../api/event.ts';
import { formatSince } from '../../api/format-age.ts';
import { on, text } from '../../base/flags.ts';
import type { Cli } from '../cli.ts';
import { defineVerb } from '../define-verb.ts';
import { watchObjects } from '../live-list.ts';
import { eventMessage, sortEvents } from '../object-events.ts';
import { startTable, type TextTable } from '../print/table.ts';
import { refsMeant } from '../targets.ts';

export const defineEvents = defineVerb({
  flags: {
    'all-namespaces': on('of every namespace').short('A'),
    for: text('kind/name', 'of one object'),
    types: text('types', 'only these: Warning, Normal'),
    watch: on('and then every one that comes, until Ctrl-C').short('w'),
  },
  async run(cli, _, flags) {
    const namespace = flags.allNamespaces ? '' : await cli.namespace();
    const selection = { kind: Event, namespace, fieldSelector: await fieldsOf(cli, flags.for) };
    const { items, metadata } = await cli.api.list<Event>(selection);
    const found = sortEvents(items).filter(({ type }) => isWanted(type, flags.types));
    const withNamespace = flags.allNamespaces;
    const now = () => cli.io.clock.now();
    const print = startTable(cli, eventTable(found, { withNamespace, now: now() }));
    if (found.length === 0) cli.err('no events; they are kept for an hour');
    if (!flags.watch) return;
    for await (const { type, object } of watchObjects<Event>(cli.api, selection, metadata)) {
      if (type === 'DELETED' || !isWanted(object.type, flags.types)) continue;
      print(eventTable([object], { withNamespace, now: now() }).rows);
    }
  },
});

async function fieldsOf(cli: Cli, word: string | undefined) {
  if (word === undefined) return undefined;
  const [ref] = await refsMeant(cli, [word]);
  return `involvedObject.kind=${ref?.kind.kind},involvedObject.name=${ref?.name}`;
}

const isWanted = (type = 'Normal', types = '') =>
  types === '' || types.toLowerCase().split(',').includes(type.toLowerCase());

function eventTable(
  found: readonly Event[],
  { withNamespace, now }: { readonly withNamespace: boolean; readonly now: number },
): TextTable {
  const place = (namespace: string) => (withNamespace ? [namespace] : []);
  return {
    headers: [...place('NAMESPACE'), 'AGE', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'],
    rows: found.map((event) => {
      const { metadata, involvedObject, type = '', reason = '' } = event;
      const object = `${(involvedObject.kind ?? '').toLowerCase()}/${involvedObject.name ?? ''}`;
      const age = formatSince(lastHappened(event), now);
      return [...place(metadata.namespace ?? ''), age, type, reason, object, eventMessage(event)];
    }),
  };
}
