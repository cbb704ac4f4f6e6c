/**
 * The repository's own files, for tests and scripts that read them as text. Its root is the nearest folder above
 * this file that holds a tsconfig.json, so that it is found from any build folder inside.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What is made or fetched, never written by hand. */
const NOT_OURS: ReadonlySet<string> = new Set(['.git', '.tap', 'build', 'node_modules']);

const root = findRoot(dirname(fileURLToPath(import.meta.url)));

export function readRepositoryFile(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

export function writeRepositoryFile(path: string, text: string): void {
  writeFileSync(join(root, path), text);
}

export function isInRepository(path: string): boolean {
  return existsSync(join(root, path));
}

/** Files under `folder` (all: `.`) whose name ends in `ending`, as sorted paths from the root with forward slashes. */
export function listRepositoryFiles(folder: string, ending = ''): string[] {
  const found = readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name)) return [];
    const path = relative(root, join(root, folder, entry.name)).replaceAll('\\', '/');
    if (entry.isDirectory()) return listRepositoryFiles(path, ending);
    return entry.isFile() && entry.name.endsWith(ending) ? [path] : [];
  });
  return found.toSorted();
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'tsconfig.json'))) return folder;
  if (dirname(folder) === folder) throw new Error('no folder above holds tsconfig.json');
  return findRoot(dirname(folder));
}
