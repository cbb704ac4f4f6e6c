/**
 * Exit status 0 if node_modules holds what package-lock.json pins, 1 if `npm ci` is needed.
 *
 * Compares contents and not times, because a checkout or an unpacked archive sets times as it likes. npm records
 * what it installed in node_modules/.package-lock.json; optional packages of other platforms are rightly absent.
 */
import { readFileSync } from 'node:fs';

const packagesOf = (path) => {
  const { '': _root, ...packages } = JSON.parse(readFileSync(path, 'utf8')).packages;
  return packages;
};

const isCurrent = () => {
  const wanted = packagesOf('package-lock.json');
  const installed = packagesOf('node_modules/.package-lock.json');
  const present = Object.entries(wanted).every(([path, { version, optional }]) =>
    installed[path] ? installed[path].version === version : optional === true,
  );
  return present && Object.keys(installed).every((path) => path in wanted);
};

try {
  process.exitCode = isCurrent() ? 0 : 1;
} catch {
  process.exitCode = 1; // no node_modules yet, or not npm's
}
