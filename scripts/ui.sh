#!/usr/bin/env bash
# The window's pages: installs their packages and builds them, each only when something changed since the last time.
#
#   scripts/ui.sh deps      node_modules as package-lock.json says
#   scripts/ui.sh build     ui/dist from ui/ (deps first)
set -euo pipefail
cd "$(dirname "$0")/.."
PATH="$PWD/.tools/node/bin:$PATH"
stamps=target/stamps
mkdir -p "$stamps"

digest() { { sha256sum 2>/dev/null || shasum -a 256; } | cut -d ' ' -f 1; }
same() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }

deps() {
  local now
  now=$({ cat package.json package-lock.json ui/package.json; node --version; } | digest)
  [ -d node_modules ] && same npm "$now" && return
  echo "ui: installing packages (npm ci)" >&2
  npm ci --no-fund --no-audit --loglevel=error
  printf '%s\n' "$now" >"$stamps/npm"
}

build() {
  local now
  # Every source file and the packages they are built with.
  now=$({ find ui -name node_modules -prune -o -path ui/dist -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 cat --; cat package-lock.json; } | digest)
  [ -f ui/dist/index.html ] && ! grep -q 'have not been built' ui/dist/index.html && same ui "$now" && return
  echo "ui: building" >&2
  npm run --silent build --workspace ui
  printf '%s\n' "$now" >"$stamps/ui"
}

case "${1:-build}" in
  deps) deps ;;
  build) deps; build ;;
  *) echo "Use: scripts/ui.sh deps|build" >&2; exit 2 ;;
esac
