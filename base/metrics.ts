/** Numbers for Prometheus, told by name: asked twice for one name it is the same metric. */
export interface Metrics {
  /** Adds one to the series with these labels. */
  count(name: string, about: string, labels?: Labels): void;
  /** Adds a duration to the series' histogram. */
  observe(name: string, about: string, of: { readonly labels?: Labels; seconds: number }): void;
  /** Read at each scrape; a counter if the name ends in _total. The same name and labels again replace the reader. */
  gauge(name: string, about: string, of: { readonly labels?: Labels; read(): number }): void;
  /** Prometheus' text format, version 0.0.4. */
  text(): string;
}

type Labels = Readonly<Record<string, string | number>>;

interface Family {
  readonly type: 'counter' | 'histogram' | 'gauge';
  readonly about: string;
  /** By the text of the sample's name and labels. */
  readonly samples: Map<string, number | (() => number)>;
}

/** In seconds, with their label. */
const buckets = [0.005, 0.025, 0.1, 0.5, 1, 5, 30, Number.POSITIVE_INFINITY].map(
  (bound) => [bound, `le="${Number.isFinite(bound) ? bound : '+Inf'}"`] as const,
);

export function openMetrics(): Metrics {
  const families = new Map<string, Family>();
  const samplesOf = (name: string, type: Family['type'], about: string) =>
    families.getOrInsertComputed(name, () => ({ type, about, samples: new Map() })).samples;
  return {
    count: (name, about, labels) => add(samplesOf(name, 'counter', about), series(name, labels), 1),
    observe(name, about, { labels, seconds }) {
      const samples = samplesOf(name, 'histogram', about);
      const pairs = pairsOf(labels);
      for (const [bound, le] of buckets)
        add(samples, named(`${name}_bucket`, [...pairs, le]), seconds <= bound ? 1 : 0);
      add(samples, named(`${name}_sum`, pairs), seconds);
      add(samples, named(`${name}_count`, pairs), 1);
    },
    gauge: (name, about, { labels, read }) =>
      void samplesOf(name, name.endsWith('_total') ? 'counter' : 'gauge', about).set(
        series(name, labels),
        read,
      ),
    text: () => [...families].map(([name, family]) => formatFamily(name, family)).join(''),
  };
}

function add(samples: Family['samples'], key: string, by: number): void {
  samples.set(key, Number(samples.get(key) ?? 0) + by);
}

const series = (name: string, labels?: Labels) => named(name, pairsOf(labels));

const pairsOf = (labels: Labels = {}) =>
  Object.entries(labels).map(([key, value]) => `${key}=${quote(String(value))}`);

const named = (name: string, pairs: readonly string[]) =>
  pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;

const quote = (text: string) =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

function formatFamily(name: string, { type, about, samples }: Family): string {
  const lines = [...samples].map(
    ([key, value]) => `${key} ${typeof value === 'function' ? value() : value}\n`,
  );
  return `# HELP ${name} ${about}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}
