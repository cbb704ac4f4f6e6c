/**
 * The rules of the house, as far as a program can check them: who imports whom, what is called where, how files begin,
 * how long they are, that nothing is dead or left over. A list of exceptions fails when an entry is no longer needed.
 */
import { posix } from 'node:path';
import t from 'tap';
import ts from 'typescript';
import { VERSION } from '../src/base/version.ts';
import { isInRepository, listRepositoryFiles, readRepositoryFile } from './helpers/repository.ts';

/** Layer of `src` -> layers that it may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  stream: ['base'],
  relay: ['base', 'wire', 'stream'],
  connector: ['base', 'wire', 'stream'],
};

/** What `wire` may import from elsewhere: it is pure bytes. */
const WIRE_PACKAGES = ['node:crypto', '@noble/curves/ed25519.js'];

/** The only files that assemble a program, and so the only ones that touch the process. */
const ENTRY_POINTS = ['src/connector/main.ts', 'src/relay/main.ts'];

/** What must be passed in, and the files that may call it nevertheless, with the reason. */
const BANNED = [
  'Date.now',
  'Math.random',
  'console.*',
  'new Date()',
  'performance.now',
  'process',
  'setImmediate',
  'setInterval',
  'setTimeout',
];
const MAY_CALL: Readonly<Record<string, readonly string[]>> = {
  // The clock itself.
  'src/base/clock.ts': ['Date.now', 'performance.now', 'setInterval', 'setTimeout'],
  // Lets keys that were pressed before a question arrive and be dropped: an order of events, not a time.
  'src/connector/console.ts': ['setImmediate'],
  'src/connector/main.ts': ['process', 'setTimeout'],
  'src/relay/main.ts': ['process'],
};

const LINES_MAX = 500;
/** Files above that, with the reason. */
const LONG_FILES: Readonly<Record<string, string>> = {};

/** Tests that are named for a behaviour and not for a source file; all of `test/e2e` is. */
const BEHAVIOURS: Readonly<Record<string, string>> = {
  'test/docs-states.test.ts': 'docs/STATES.md is what the tables say',
  'test/docs.test.ts': 'the documents name only what exists',
  'test/tidy.test.ts': 'the rules of the house',
};

/** Hosts that may be named in an address: a registry or a mirror is the business of whoever builds. */
const HOSTS = ['nodejs.org', 'www.apache.org'];

const sources = listRepositoryFiles('src', '.ts');
const tests = listRepositoryFiles('test', '.test.ts');
const code = ['src', 'test', 'scripts', 'bench'].flatMap((folder) => listRepositoryFiles(folder, '.ts'));
const parsed = new Map(code.map((path) => [path, parse(path)]));
const importsOf = new Map([...parsed].map(([path, file]) => [path, specifiersOf(file)]));

t.test('layers import only what the table of ARCHITECTURE.md allows', async (t) => {
  const wrong = sources.flatMap((path) =>
    relativeImports(path)
      .filter((target) => !mayImport(path, target))
      .map((target) => `${path} imports ${target}`),
  );
  t.same(wrong, []);
  const layers = new Set(sources.map(layerOf));
  t.same([...layers].toSorted(), Object.keys(MAY_IMPORT).toSorted(), 'every folder of src is a layer');
});

t.test('the table in ARCHITECTURE.md is this one', async (t) => {
  const rows = [...readRepositoryFile('ARCHITECTURE.md').matchAll(/^\| `src\/(\w+)` \|.*\| ([^|]+) \|$/gm)];
  const table = rows.map(([, layer, names]) => [layer, names === 'nothing of ours' ? [] : names.split(', ')]);
  t.same(Object.fromEntries(table), MAY_IMPORT);
});

t.test('wire is pure', async (t) => {
  const packages = sources
    .filter((path) => layerOf(path) === 'wire')
    .flatMap((path) => importsOf.get(path)!.filter((name) => !name.startsWith('.')));
  t.same([...new Set(packages)].toSorted(), WIRE_PACKAGES.toSorted());
});

t.test('time, randomness, console and process are passed in', async (t) => {
  const used = Object.fromEntries(
    sources
      .map((path) => [path, bannedUses(parsed.get(path)!)] as const)
      .filter(([, uses]) => uses.length > 0),
  );
  t.same(used, MAY_CALL, 'exactly the files of the list call exactly what it says');
});

t.test('relative imports end in .ts', async (t) => {
  const wrong = [...importsOf].flatMap(([path, names]) =>
    names.filter((name) => name.startsWith('.') && !name.endsWith('.ts')).map((name) => `${path}: ${name}`),
  );
  t.same(wrong, []);
});

t.test('there are no default exports and no barrels', async (t) => {
  t.same(
    code.filter((path) => parsed.get(path)!.statements.some(isDefaultExport)),
    [],
  );
  t.same(
    code.filter((path) => posix.basename(path) === 'index.ts'),
    [],
  );
  const reexporting = sources.filter((path) =>
    parsed.get(path)!.statements.some((node) => ts.isExportDeclaration(node) && node.moduleSpecifier),
  );
  t.same(reexporting, []);
});

t.test('every source file begins with what it owns', async (t) => {
  const bare = sources.filter((path) => !/^(#!.*\n)?\/\*\*[^]{20,}?\*\//.test(readRepositoryFile(path)));
  t.same(bare, []);
});

t.test('files fit a sitting', async (t) => {
  const long = code.filter((path) => readRepositoryFile(path).split('\n').length - 1 > LINES_MAX);
  t.same(
    long,
    Object.keys(LONG_FILES).toSorted(),
    `more than ${LINES_MAX} lines: exactly the files of the list`,
  );
});

t.test('every source file is used', async (t) => {
  const used = new Set(sources.flatMap(relativeImports));
  const dead = sources.filter((path) => !used.has(path));
  t.same(dead, ENTRY_POINTS);
});

t.test('every import leads to a file', async (t) => {
  const missing = code.flatMap((path) => relativeImports(path).filter((target) => !isInRepository(target)));
  t.same(missing, []);
});

t.test('every test is named for a source file or a behaviour', async (t) => {
  const homeless = tests.filter((path) => !path.startsWith('test/e2e/') && !isInRepository(sourceOf(path)));
  t.same(homeless, Object.keys(BEHAVIOURS).toSorted());
});

t.test('no test is singled out', async (t) => {
  const word = `.${'only'}(`;
  t.same(
    tests.filter((path) => readRepositoryFile(path).includes(word)),
    [],
  );
});

t.test('nothing names a folder or a registry of the machine that it was written on', async (t) => {
  const folder = ['', 'work', ''].join('/');
  const address = /\bhttps?:\/\/([a-z0-9.-]+)/gi;
  const lock = 'package-lock.json';
  const found = listRepositoryFiles('.').flatMap((path) => {
    const text = readRepositoryFile(path);
    const hosts = path === lock ? [] : [...text.matchAll(address)].map(([, host]) => host);
    const strange = hosts.filter((host) => !HOSTS.includes(host) && !isExample(host));
    return [
      ...(text.includes(folder) ? [`${path}: ${folder}`] : []),
      ...strange.map((host) => `${path}: ${host}`),
    ];
  });
  t.same(found, []);
  t.notMatch(readRepositoryFile(lock), /"resolved"/, 'the lockfile names no registry');
});

t.test('packages are pinned exactly, and each has its reason in ARCHITECTURE.md', async (t) => {
  const manifest = JSON.parse(readRepositoryFile('package.json')) as Record<string, Record<string, string>>;
  const groups = ['dependencies', 'optionalDependencies', 'devDependencies'];
  const packages = groups.flatMap((group) => Object.entries(manifest[group]));
  t.same(
    packages.filter(([, version]) => !/^\d+\.\d+\.\d+(-[a-z0-9.]+)?$/.test(version)),
    [],
  );
  const section = /## Packages\n([^]*?)\n## /.exec(readRepositoryFile('ARCHITECTURE.md'))![1];
  const listed = [...section.matchAll(/^\| ([^|]+) \|/gm)]
    .flatMap(([, names]) => names.replace(/\((dev|optional)\)/, '').split(','))
    .map((name) => name.trim())
    .filter((name) => name !== 'package' && name !== '---');
  t.same(listed.toSorted(), packages.map(([name]) => name).toSorted());
});

t.test('packages of src are dependencies', async (t) => {
  const manifest = JSON.parse(readRepositoryFile('package.json')) as Record<string, Record<string, string>>;
  const allowed = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)];
  const names = sources.flatMap((path) => importsOf.get(path)!).filter((name) => !/^(\.|node:)/.test(name));
  const used = new Set(names.map((name) => /^(@[^/]+\/)?[^/]+/.exec(name)![0]));
  t.same([...used].toSorted(), allowed.toSorted(), 'each is used, and no other');
});

t.test('the version is that of package.json', async (t) => {
  t.equal(VERSION, (JSON.parse(readRepositoryFile('package.json')) as { version: string }).version);
});

function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readRepositoryFile(path), ts.ScriptTarget.Latest, true);
}

/** What a file imports: static, type-only, dynamic. */
function specifiersOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0]);
    ts.forEachChild(node, visit);
  };
  const add = (name: ts.Node | undefined): void => {
    if (name && ts.isStringLiteral(name)) found.push(name.text);
  };
  visit(file);
  return found;
}

function relativeImports(path: string): string[] {
  return importsOf
    .get(path)!
    .filter((name) => name.startsWith('.'))
    .map((name) => posix.join(posix.dirname(path), name));
}

function mayImport(path: string, target: string): boolean {
  const [from, to] = [layerOf(path), layerOf(target)];
  return target.startsWith('src/') && (from === to || MAY_IMPORT[from].includes(to));
}

function layerOf(path: string): string {
  return path.split('/')[1];
}

function bannedUses(file: ts.SourceFile): string[] {
  const uses = new Set<string>();
  const visit = (node: ts.Node): void => {
    const use = bannedUse(node);
    if (use !== null) uses.add(use);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return [...uses].toSorted();
}

function bannedUse(node: ts.Node): string | null {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Date' && !node.arguments?.length)
    return 'new Date()';
  if (ts.isPropertyAccessExpression(node)) {
    const text = node.getText();
    if (BANNED.includes(text)) return text;
    // `console` may be a name of ours: only what the global one has is meant.
    return node.expression.getText() === 'console' && node.name.text in console ? 'console.*' : null;
  }
  if (!ts.isIdentifier(node) || !BANNED.includes(node.text)) return null;
  const { parent } = node;
  const isName = ts.isPropertyAccessExpression(parent)
    ? parent.name === node
    : ts.isPropertyAssignment(parent) && parent.name === node;
  return isName ? null : node.text;
}

function isDefaultExport(node: ts.Statement): boolean {
  if (ts.isExportAssignment(node)) return true;
  return ts.canHaveModifiers(node)
    ? (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
    : false;
}

/** `test/wire/frames.split.test.ts` -> `src/wire/frames.ts` */
function sourceOf(test: string): string {
  return `${test.replace(/^test\//, 'src/').replace(/\..*$/, '')}.ts`;
}

/** RFC 2606. */
function isExample(host: string): boolean {
  return /(^|\.)example(\.(com|net|org))?$/.test(host) || host === 'localhost';
}
