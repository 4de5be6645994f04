#!/usr/bin/env bash
# Installs what Nestbox needs and this computer does not have. Says what it installs; takes well under a second when
# nothing is missing.
#
#   scripts/setup.sh [--check|--list|--dry-run] [GROUP…]    groups: build window run test (default: build window run)
#     --check     installs nothing: says what is missing and ends with 5 if something is
#     --list      prints the packages of the groups, one a line, and ends
#     --dry-run   prints the commands that would be run, each after “would run: ”, and runs none of them
#   NESTBOX_SETUP=skip          does nothing at all
#   NESTBOX_BACKPORTS=no        Debian 12: never add the backports suite
#   NESTBOX_NODE_DIST=URL       where Node.js comes from if the system's is too old (a folder with SHASUMS256.txt)
#   NESTBOX_OS_RELEASE=FILE     another /etc/os-release, for tests
#
# Ends with 5 when something could not be had, and says what to do. The list of packages is scripts/needs.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

mode=install
groups=()
for argument in "$@"; do
  case "$argument" in
    --check) mode=check ;;
    --list) mode=list ;;
    --dry-run) mode=dry-run ;;
    build | window | run | test) groups+=("$argument") ;;
    *) echo "setup: “${argument}” is not a group. Use build, window, run or test." >&2; exit 2 ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build window run)
[ "${NESTBOX_SETUP:-}" != skip ] || exit 0
PATH="$PWD/.tools/node/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$1"; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 5; }
wants() { local group; for group in "${groups[@]}"; do [ "$group" = "$1" ] && return 0; done; return 1; }
have() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }   # at_least 1.95.0 1.90

# Whatever changes this computer goes through one of these two.
run() { if [ "$mode" = dry-run ]; then printf 'would run: %s\n' "$*"; else "$@"; fi; }
root() { if [ "$(id -u)" = 0 ]; then run "$@"; else run sudo "$@"; fi; }
installs() { [ "$mode" = install ] || [ "$mode" = dry-run ]; }
needs_root() {   # needs_root PACKAGE…: ends here when there is no way to become root
  [ "$mode" = dry-run ] || [ "$(id -u)" = 0 ] || have sudo ||
    fail "These packages are missing and installing them needs root, but there is no sudo here:" "$*" \
      "Install them as root, then run this again."
}

# --- Which system ------------------------------------------------------------------------------------------------
# The system says which family it is of; what has another name is judged by its package manager.
# shellcheck disable=SC1090
os_release() { (. "${NESTBOX_OS_RELEASE:-/etc/os-release}" 2>/dev/null && eval "printf '%s' \"\${$1:-}\"") || true; }

system=other
codename=
case "$(uname -s)" in
  Darwin) system=macos ;;
  Linux)
    case " $(os_release ID) $(os_release ID_LIKE) " in
      *" debian "* | *" ubuntu "*) system=debian ;;
      *" fedora "* | *" rhel "*) system=fedora ;;
      *" arch "*) system=arch ;;
      *) if have apt-get; then system=debian; elif have dnf; then system=fedora; elif have pacman; then system=arch; fi ;;
    esac
    [ "$(os_release ID)" != debian ] || codename=$(os_release VERSION_CODENAME) ;;
esac

# --- Packages of the system ----------------------------------------------------------------------------------------
needed=()
needs() {   # the packages of the groups on this system, also those that the guests of the tests are made with
  local group
  for group in "${groups[@]}"; do
    awk -v g="$group" -v s="$system" '$1 == g && $2 == s { for (i = 3; i <= NF; i++) print $i }' scripts/needs.txt
  done
  if wants test && [ "$system" = debian ]; then sed -n 's/^# needs://p' tests/guests/build.sh | tr -s ' ' '\n'; fi
}
while read -r package; do [ -z "$package" ] || needed+=("$package"); done < <(needs | awk '!seen[$0]++')
if [ "$mode" = list ]; then
  [ ${#needed[@]} -eq 0 ] || printf '%s\n' "${needed[@]}"
  exit 0
fi

. scripts/setup/packages.sh
. scripts/setup/tools.sh

changed=no unfit=no
install_packages
if wants build; then install_rust; install_node; fi
if wants test && [ "$unfit" = no ]; then install_cargo_tools; fi

[ "$unfit" = no ] || exit 5
[ "$changed" = yes ] || say "nothing to do"
