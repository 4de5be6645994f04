#!/usr/bin/env bash
# Runs the tests: all of them, or the phases named.
#
#   scripts/test.sh [PHASE…]     phases: lint (= fmt shell types style errors clippy arch words openapi deny advisories),
#                                unit, rust, guests, chromium, window; without any: everything
# Each phase has a limit in minutes and runs in a process group of its own, which ends with it. A phase that
# fails does not stop the others: what is red is listed at the end.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
PATH="$PWD/.tools/node/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

# Tests bring their own homes, displays and buses; nothing of the session that started them leaks in.
unset NESTBOX_HOME NESTBOX_SERVICE DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS XDG_DATA_HOME XDG_RUNTIME_DIR http_proxy HTTP_PROXY
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto} NO_COLOR=1 LC_ALL=C.UTF-8 LANG=C.UTF-8 TZ=UTC

wanted=("$@")
passed=0 failed=0 red=() rows=()
started=$SECONDS

selected() { # selected NAME GROUP
  [ ${#wanted[@]} -eq 0 ] && return 0
  local word; for word in "${wanted[@]}"; do [ "$word" = "$1" ] || [ "$word" = "$2" ] && return 0; done; return 1
}

phase() { # phase NAME GROUP MINUTES COMMAND…; one that “may_skip” ends with 3 when this computer can't do it, and says why
  local name=$1 group=$2 minutes=$3 from=$SECONDS status; shift 3
  selected "$name" "$group" || return 0
  printf '\n=== %s\n' "$name"
  timeout --kill-after=15 "${minutes}m" "$@" </dev/null
  status=$?
  # The window and the browser get a second try on a busy computer, and that is said.
  local tries=''
  if [ $status -ne 0 ] && { [ "$group" = window ] || [ "$group" = chromium ]; }; then
    printf '\n=== %s, second try\n' "$name"
    tries=', on the second try'
    timeout --kill-after=15 "${minutes}m" "$@" </dev/null
    status=$?
  fi
  local took=$((SECONDS - from))
  if [ $status -eq 0 ]; then
    passed=$((passed + 1)); rows+=("$(printf '%-10s ok      %4d s%s' "$name" $took "$tries")")
  elif [ $status -eq 3 ] && [ "${may_skip:-no}" = yes ]; then
    rows+=("$(printf '%-10s skipped %4d s (see above)' "$name" $took)")
  else
    failed=$((failed + 1)); red+=("$name")
    [ $status -ne 124 ] && [ $status -ne 137 ] || printf '%s: stopped after its limit of %s minutes\n' "$name" "$minutes"
    rows+=("$(printf '%-10s FAILED  %4d s' "$name" $took)")
  fi
}

scripts/setup.sh build window run test || exit $?
scripts/ui.sh deps || exit $?

phase fmt      lint      2 cargo fmt --all --check
phase shell    lint      5 bash -c 'shellcheck scripts/*.sh scripts/setup/*.sh .ci/run && scripts/setup/test.sh'
phase types    lint      5 bash -c 'npm run --silent gen:api:check --workspace ui && npm run --silent typecheck --workspace ui'
phase style    lint      5 npm run --silent lint --workspace ui
phase unit     unit      5 npm run --silent test --workspace ui
phase pages    unit      5 scripts/ui.sh build
phase flows    unit     15 npm run --silent test:flows --workspace ui
phase errors   lint     15 cargo run --locked -q -p xtask -- errors --check
phase clippy   lint     25 cargo clippy --locked --workspace --all-targets -- -D warnings
phase arch     lint     10 cargo run --locked -q -p xtask -- lint-arch
phase words    lint      2 cargo run --locked -q -p xtask -- lint-words
phase openapi  lint     10 cargo run --locked -q -p xtask -- openapi --check
phase deny     lint      5 cargo deny --locked check licenses bans sources
may_skip=yes phase advisories lint 10 scripts/advisories.sh
phase guests   rust     25 tests/guests/build.sh
phase build    rust     20 cargo build --locked -p nestbox-cli -p nestbox-app -p nestbox-guests
phase rust     rust     30 cargo nextest run --locked --workspace --no-fail-fast
phase chromium chromium 15 node --test --test-timeout=600000 tests/e2e/chromium.test.mjs
phase window   window   20 node --test --test-timeout=1100000 tests/e2e/window.test.mjs

printf '\n=== phases, %d s in all\n' $((SECONDS - started))
printf '%s\n' "${rows[@]}"
[ $failed -eq 0 ] || printf 'red: %s\n' "${red[*]}"
printf 'phases: %d passed, %d failed\n' "$passed" "$failed"
[ $failed -eq 0 ]
