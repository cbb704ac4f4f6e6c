/**
 * Makes `tndconnect` one file that needs nothing beside it but Node, and its starter for Windows' cmd.exe.
 *
 *     node build/scripts/bundle.js        writes build/tndconnect.mjs and build/tndconnect.cmd; `npm run build` does it
 *
 * The same sources give the same bytes on every machine. Not minified: it starts no faster then, and a stack trace
 * that a customer sends would say nothing. koffi is looked for beside the file at run time and may be absent. What is
 * imported of Node itself is loaded before the password is hidden: some milliseconds more of Node's own start.
 */
import { chmodSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, type Metafile } from 'esbuild';
import { VERSION } from '../src/base/version.ts';
import { repositoryUrl } from '../test/helpers/peers.ts';
import { readRepositoryFile, writeRepositoryFile } from '../test/helpers/repository.ts';

const BUNDLE = 'build/tndconnect.mjs';
const STARTER = 'build/tndconnect.cmd';

export interface Bundle {
  readonly text: string;
  /** What esbuild says of it: which files are in it, what it imports. */
  readonly metafile: Metafile;
}

/** The connector with everything that it imports. */
export async function bundleConnector(): Promise<Bundle> {
  const { metafile, outputFiles } = await build({
    absWorkingDir: fileURLToPath(repositoryUrl),
    entryPoints: ['src/connector/main.ts'],
    outfile: BUNDLE,
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    external: ['koffi'],
    // A tsconfig would be looked for in folders above, too.
    tsconfigRaw: {},
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const packages = packagesIn(metafile);
  const [shebang, ...code] = outputFiles[0].text.split('\n');
  const lines = [shebang, notice(packages), ...code, ...packages.map(licence)];
  return { text: `${lines.join('\n')}\n`, metafile };
}

/** `tndconnect` for cmd.exe, which starts no .mjs file by its name; it wants CRLF. A caller's `echo` stays as it is. */
export function cmdStarter(): string {
  return [
    '@rem Starts tndconnect.mjs, which has to be in the same folder.',
    '@node "%~dp0tndconnect.mjs" %*',
    '',
  ].join('\r\n');
}

/** Names of the packages that are in it, sorted. */
export function packagesIn({ inputs }: Metafile): string[] {
  const names = Object.keys(inputs).map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].toSorted();
}

function notice(packages: readonly string[]): string {
  const held = packages.map((name) => {
    const { version, license } = manifestOf(name);
    return `${name} ${version} (${license})`;
  });
  return `// tndconnect ${VERSION} of secure-telnet (Apache-2.0)\n// with ${held.join(', ')}: licences at the end`;
}

/** MIT wants its whole text in every copy. */
function licence(name: string): string {
  const text = readRepositoryFile(`node_modules/${name}/LICENSE`).trimEnd();
  return `/*! ${name} ${manifestOf(name).version}\n\n${text}\n*/`;
}

function manifestOf(name: string): { version: string; license: string } {
  return JSON.parse(readRepositoryFile(`node_modules/${name}/package.json`)) as never;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeRepositoryFile(BUNDLE, (await bundleConnector()).text);
  chmodSync(new URL(BUNDLE, repositoryUrl), 0o755);
  writeRepositoryFile(STARTER, cmdStarter());
}
