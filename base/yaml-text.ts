import * as yaml from 'yaml';

/** The text's documents that can be read, and what is wrong with the others. */
export interface YamlText {
  readonly documents: readonly YamlDocument[];
  readonly faults: readonly YamlFault[];
}

export type YamlDocument = Readonly<{ document: yaml.Document.Parsed; value: unknown }>;

interface YamlFault {
  /** Of the character it is about, in the text. */
  readonly offset: number;
  readonly message: string;
}

/**
 * YAML 1.1 as Kubernetes' clients read it (JSON is a part of it): several documents, merge keys. Dates and sexagesimal
 * numbers stay strings. What would get lost on the way to JSON is a fault: a key given twice, a number like .nan. Pure.
 */
export function readYaml(text: string, lineCounter?: yaml.LineCounter): YamlText {
  // Their own search for double keys takes time in the square of a map's size, and their prettier errors never end.
  const documents = yaml.parseAllDocuments(text, {
    ...{ version: '1.1', merge: true, uniqueKeys: false, prettyErrors: false },
    customTags: withoutDates,
    ...(lineCounter === undefined ? {} : { lineCounter }),
  });
  const read = ('empty' in documents ? [] : documents).map(readDocument);
  return {
    documents: read.flatMap((one) => ('document' in one ? one : [])),
    faults: read.flatMap((one) => ('faults' in one ? one.faults : [])),
  };
}

const withoutDates = (tags: yaml.Tags): yaml.Tags =>
  tags.filter((tag) => {
    if (typeof tag === 'string') return true;
    return tag.tag !== 'tag:yaml.org,2002:timestamp' && !('format' in tag && tag.format === 'TIME');
  });

function readDocument(document: yaml.Document.Parsed): YamlDocument | Pick<YamlText, 'faults'> {
  const { errors } = document;
  const tooDeep = errors.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (tooDeep) return { faults: [{ offset: tooDeep.pos[0], message: 'it is nested too deep' }] };
  const syntax = errors.map(({ pos, message }) => ({ offset: pos[0], message }));
  const faults = syntax.length > 0 ? syntax : lossesIn(document);
  if (faults.length > 0) return { faults };
  try {
    return { document, value: document.toJS({ maxAliasCount: 100 }) };
  } catch (error) {
    // Aliases of aliases can stand for more than fits into memory.
    const tooMuch = error instanceof ReferenceError && 'its aliases stand for too much';
    return { faults: [{ offset: 0, message: tooMuch || (error as Error).message }] };
  }
}

function lossesIn(document: yaml.Document.Parsed): readonly YamlFault[] {
  const faults: YamlFault[] = [];
  const tell = (node: unknown, message: string) => faults.push(faultAt(node, message));
  yaml.visit(document, {
    Scalar(_, node) {
      if (typeof node.value === 'number' && !Number.isFinite(node.value))
        tell(node, `${node.source} is no number that JSON knows`);
    },
    Map(_, { items }, above) {
      const keys = new Set<unknown>();
      for (const pair of items) {
        const { key } = pair;
        const name = yaml.isScalar(key) && key.source !== '<<' ? String(key.value) : pair;
        if (keys.has(name)) tell(key, `${pathOf([...above, pair])} is given twice`);
        keys.add(name);
      }
    },
  });
  return [...faults, ...brokenAliases(document)];
}

/** Those of what isn't there before them, and of what they are in: a value without end. */
function brokenAliases(document: yaml.Document.Parsed): readonly YamlFault[] {
  const faults: YamlFault[] = [];
  const anchored = new Map<string, yaml.Node>();
  yaml.visit(document, {
    Node(_, node, above) {
      if (!yaml.isAlias(node)) return void (node.anchor && anchored.set(node.anchor, node));
      const target = anchored.get(node.source);
      if (target === undefined)
        faults.push(
          faultAt(node, `*${node.source} stands for nothing: no &${node.source} is before it`),
        );
      else if (above.includes(target))
        faults.push(faultAt(node, `*${node.source} stands for what it is in`));
    },
  });
  return faults;
}

const faultAt = (node: unknown, message: string): YamlFault => ({
  ...{ offset: (yaml.isNode(node) && node.range?.[0]) || 0, message },
});

/** "spec.containers.image": keys only. */
const pathOf = (nodes: readonly unknown[]): string =>
  nodes.flatMap((node) => (yaml.isPair(node) ? String(node.key) : [])).join('.');
