#!/usr/bin/env bash
# Asks the public lists of known vulnerabilities about every crate and about the packages that the pages ship.
# Exit codes: 0 nothing known · 1 something is, said above · 3 not all lists could be reached: nothing known by those that were.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
PATH="$PWD/.tools/node/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
found=no unasked=no
say() { printf 'advisories: %s\n' "$*" >&2; }

# Crates: RustSec's list, which cargo-deny keeps a copy of. What is let through is in deny.toml.
if why=$(timeout --kill-after=5 120 cargo deny --locked fetch db 2>&1); then
  timeout --kill-after=5 120 cargo deny --locked check --disable-fetch advisories || found=yes
else
  say "the list about crates could not be fetched, so it was not asked: $(grep -oE 'fatal: .*' <<<"$why" || tail -n 1 <<<"$why")"
  unasked=yes
fi

# Packages of the pages, without those that only build and test them. A report has a version, a refusal has none.
report=$(timeout --kill-after=5 120 npm audit --json --omit=dev --audit-level=high 2>/dev/null)
status=$?
if grep -q '"auditReportVersion"' <<<"$report"; then
  [ $status -eq 0 ] || { npm audit --omit=dev --audit-level=high; found=yes; }
else
  say "the package registry did not answer an audit, so it was not asked: $(grep -m 1 -oE '"(message|summary)": *"[^"]+"' <<<"$report")"
  unasked=yes
fi

[ $found = no ] || exit 1
[ $unasked = no ] || exit 3
