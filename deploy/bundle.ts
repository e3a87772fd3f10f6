/**
 * `bundle.ts [DIRECTORY [VERSION]]`: puts orc and the packages that it needs into build/, or that directory: one program, its
 * parts loaded when a role or a verb needs them, and the licences of what is in there. Half the memory and start-up time of
 * the sources. Run by `make build` and `make package`.
 */
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type PluginBuild } from 'esbuild';

const root = join(import.meta.dirname, '..');
const [outdir = join(root, 'build'), version] = process.argv.slice(2);
const packageJson = join(root, 'package.json');

rmSync(outdir, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: root,
  // What starts a process or a thread of its own.
  entryPoints: [
    ...['orc.ts', 'agent/oci-planner.ts'],
    ...['controller/store/sqlite-worker.ts', 'agent/images/unpack-worker.ts'],
  ],
  entryNames: '[name]',
  outdir,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  // koffi is native, found in node_modules beside build/; gRPC's loader of .proto files is never called.
  external: ['koffi', '@grpc/proto-loader'],
  // CommonJS packages call `require` for Node's own modules.
  banner: {
    js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);`,
  },
  // Names stay as they are, for stack traces; without comments and spaces the text is half as long, and Node keeps it in memory.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  // The same text, wherever the packages are.
  preserveSymlinks: true,
  plugins: [
    { name: 'http', setup: requireHttp },
    ...(version === undefined ? [] : [{ name: 'version', setup: stampVersion(version) }]),
  ],
  metafile: true,
  logLevel: 'warning',
});
writeFileSync(join(outdir, 'THIRD-PARTY'), licences(metafile));

/**
 * A module that imports node:http has all of its exports read, also those for which Node then loads its own undici: 50 ms
 * of work and 3 MB. `require` reads none.
 */
function requireHttp({ onResolve, onLoad }: PluginBuild): void {
  const namespace = 'required';
  onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
    kind === 'import-statement' ? { path: 'node:http', namespace } : undefined,
  );
  onLoad({ filter: /^/, namespace }, () => ({ contents: `module.exports = require('node:http')` }));
}

/** What orc says that it is; of package.json only this is ever read. */
function stampVersion(version: string) {
  const filter = new RegExp(`^${RegExp.escape(packageJson)}$`);
  const contents = JSON.stringify({ version });
  return ({ onLoad }: PluginBuild) => onLoad({ filter }, () => ({ contents, loader: 'json' }));
}

/** Of each package of which something is in the bundle: its name, version, licence, and the licence's text. */
function licences({ inputs }: Metafile): string {
  const packageOf = (path: string) => /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [];
  const packages = [...new Set(Object.keys(inputs).flatMap(packageOf))].toSorted();
  return [...packages, 'node_modules/koffi'].map(licenceOf).join(`\n${'-'.repeat(80)}\n`);
}

function licenceOf(path: string): string {
  const { name, version, license } = JSON.parse(
    readFileSync(join(root, path, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  const [file] = globSync(join(root, path, '{LICENSE,LICENCE,license}*'));
  const text = file !== undefined && existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  return `${name} ${version} (${license})\n\n${text}\n`;
}
