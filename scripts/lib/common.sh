# shellcheck shell=bash
# What scripts/test, scripts/demo and .ci/run share: the check of Node, the packages, the build.
#
# Sourced, never run. Leaves the shell in the repository's root. Everything here is idempotent and does nothing
# that is already done, so that each script can be the first one anybody runs on a fresh clone.

repo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$repo_root"

say() { printf '%s\n' "$*"; }
die() {
  printf '%s: %s\n' "${0#"$repo_root/"}" "$*" >&2
  exit 1
}

require_node() {
  command -v node >/dev/null 2>&1 || die 'Node 20.19 or later is needed and no "node" is on the PATH: see https://nodejs.org/'
  node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
    die "Node 20.19 or later is needed, this is $(node --version): see https://nodejs.org/"
}

# Installs the pinned packages if what is in node_modules is not what package-lock.json says.
ensure_modules() {
  node scripts/lib/modules-current.mjs && return
  say 'installing the packages of package-lock.json (npm ci)'
  npm ci --no-audit --no-fund --loglevel=error </dev/null || die 'npm ci failed'
}

# Compiles everything; a compiled file whose source is gone would still be run as a test, so it goes first.
build() {
  remove_stale_output
  npm run --silent build </dev/null || die 'the build failed (npm run build)'
}

remove_stale_output() {
  local compiled source
  for top in src test bench scripts; do
    [ -d "build/$top" ] || continue
    while IFS= read -r compiled; do
      source=${compiled#build/}
      [ -e "${source%.js}.ts" ] || rm -f "$compiled"
    done < <(find "build/$top" -name '*.js' -type f)
  done
}
