#!/usr/bin/env bash
# Tests what scripts/setup.sh would install on systems other than this one: with their os-release, and with tools that
# answer as theirs would on a computer that has nothing yet. Nothing is installed; nothing outside a temporary folder changes.
# shellcheck disable=SC2016,SC2001  # the tools' own words are not for this shell
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/checkout/tests/guests" "$work/tools" "$work/home"
cp -R scripts "$work/checkout/"
cp tests/guests/build.sh "$work/checkout/tests/guests/"

passed=0 failed=0
tool() { printf '#!/bin/sh\n%s\n' "$2" >"$work/tools/$1"; chmod +x "$work/tools/$1"; }

# A computer with nothing: commands that would change it fail the test by name, the others know of no package.
bare() {
  local name
  rm -f "$work"/tools/*
  for name in awk bash cat chmod curl cut dirname env grep head mktemp printf rm sed sh sort tail tr; do
    ln -s "$(command -v "$name")" "$work/tools/$name"
  done
  for name in sudo dnf npm rustup-init; do tool "$name" "echo \"$name was run\" >&2; exit 99"; done
  tool id 'echo 1000'
  tool uname 'case "$1" in -m) echo x86_64 ;; *) echo Linux ;; esac'
  for name in rpm dpkg-query apt-cache; do tool "$name" 'exit 1'; done
  tool brew 'case "$1" in list) ;; *) echo "brew was run" >&2; exit 99 ;; esac'
  tool pacman 'case "$1" in -T) shift; printf "%s\n" "$@"; exit 127 ;; *) echo "pacman was run" >&2; exit 99 ;; esac'
  tool apt-get 'case "$*" in indextargets*backports) ;; indextargets*) echo https://debian.example/debian/ ;; -s*) ;; *) echo "apt-get was run" >&2; exit 99 ;; esac'
}

# setup SYSTEM ARGUMENT…: what setup.sh says there. SYSTEM is the text of its os-release, “;” between the lines.
setup() {
  printf '%s\n' "$1" | tr ';' '\n' >"$work/os-release"
  shift
  (cd "$work/checkout" && env -i PATH="$work/tools" HOME="$work/home" NESTBOX_OS_RELEASE="$work/os-release" \
    ${backports:+NESTBOX_BACKPORTS="$backports"} "$BASH" scripts/setup.sh "$@" 2>&1)
}

# expect NAME TEXT PATTERN…: each extended pattern has a line in TEXT; one that begins with “!” has none.
expect() {
  local name=$1 text=$2 pattern fine=yes; shift 2
  for pattern in "$@"; do
    case "$pattern" in
      !*) ! grep -Eq -- "${pattern#!}" <<<"$text" || { fine=no; echo "$name: has a line that it must not have: ${pattern#!}"; } ;;
      *) grep -Eq -- "$pattern" <<<"$text" || { fine=no; echo "$name: lacks a line: $pattern"; } ;;
    esac
  done
  if [ $fine = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)); sed 's/^/    /' <<<"$text"; fi
}

debian12='ID=debian;VERSION_ID=12;VERSION_CODENAME=bookworm'
debian13='ID=debian;VERSION_ID=13;VERSION_CODENAME=trixie'
ubuntu='ID=ubuntu;ID_LIKE=debian;VERSION_ID=24.04;VERSION_CODENAME=noble'
mint='ID=linuxmint;ID_LIKE="ubuntu debian";VERSION_CODENAME=xia'
fedora='ID=fedora;VERSION_ID=42'
arch='ID=arch'
manjaro='ID=manjaro;ID_LIKE=arch'
backports=

# --- Every group has packages on every system, QEMU's among them ------------------------------------------------------
bare
for system in "$debian12" "$ubuntu" "$fedora" "$arch"; do
  for group in build window run test; do
    expect "$group on ${system%%;*}" "$(setup "$system" --list "$group")" '^[a-zA-Z0-9][a-zA-Z0-9.+-]+\??$' '![^a-zA-Z0-9.+?-]'
  done
done
expect "QEMU on Debian" "$(setup "$debian12" --list run)" '^qemu-system-x86$' '^qemu-system-arm$' '^qemu-utils$' '^ovmf$' '^qemu-efi-aarch64$'
expect "QEMU on Ubuntu" "$(setup "$ubuntu" --list run)" '^qemu-system-x86$' '^qemu-system-arm$' '^qemu-utils$' '^ovmf$'
expect "QEMU on Fedora" "$(setup "$fedora" --list run)" '^qemu-system-x86$' '^qemu-system-aarch64$' '^qemu-img$' '^edk2-ovmf$' '^edk2-aarch64$'
expect "QEMU on Arch" "$(setup "$arch" --list run)" '^qemu-system-x86$' '^qemu-system-aarch64$' '^qemu-img$' '^qemu-hw-display-virtio-vga$' '^edk2-ovmf$'

# --- Debian and its kin ----------------------------------------------------------------------------------------------
expect "Debian 12" "$(setup "$debian12" --dry-run)" \
  'would run: sudo .*apt-get .* update$' \
  'would run: sudo .*apt-get .* install --no-install-recommends .*libwebkit2gtk-4.1-dev' \
  '^would run: sudo install -m 644 /dev/stdin /etc/apt/sources.list.d/nestbox-backports.sources' \
  'would run: .* -t bookworm-backports qemu-system-x86 .*qemu-utils' \
  '^would run: rustup_installer' '^would run: download_node' '!was run'
backports=no
expect "Debian 12 that keeps its QEMU" "$(setup "$debian12" --dry-run)" 'install .*qemu-system-x86 .*qemu-utils' '!bookworm-backports'
backports=
tool dpkg-query 'case "$*" in *Version*) echo "installed 1:7.2+dfsg-7" ;; *) exit 1 ;; esac'
tool dpkg 'exit 1'
expect "Debian 12 with QEMU 7.2" "$(setup "$debian12" --dry-run run)" 'install .*qemu-system-x86' '!bookworm-backports'
tool dpkg-query 'case "$*" in *Version*) echo "installed 1:10.0.2+ds-2~bpo12+1" ;; *) exit 1 ;; esac'
tool dpkg 'exit 0'
tool apt-get 'case "$*" in indextargets*) ;; -s*) exit 100 ;; esac'
expect "Debian 12 with a newer QEMU" "$(setup "$debian12" --dry-run run)" '-t bookworm-backports qemu-system-x86' \
  'Dir::Etc::Preferences=.* install .*ovmf'

bare
tool apt-cache 'case "$2" in nodejs) echo "  Candidate: 20.19.2+dfsg-1" ;; rustup) echo "  Candidate: 1.27.1-3" ;; qemu-system-riscv) echo "  Candidate: 1:10.0.2" ;; *) echo "  Candidate: (none)" ;; esac'
expect "Debian 13" "$(setup "$debian13" --dry-run)" 'install .*qemu-system-riscv' '!qemu-efi-riscv64$|\?' '!bookworm' \
  'install --no-install-recommends nodejs npm$' 'install --no-install-recommends rustup$' '!download_node' '!rustup_installer'
tool apt-cache 'case "$2" in nodejs) echo "  Candidate: 18.19.1+dfsg-6ubuntu5" ;; rustup) echo "  Candidate: 1.26.0-5" ;; *) echo "  Candidate: (none)" ;; esac'
expect "Ubuntu 24.04" "$(setup "$ubuntu" --dry-run)" 'install .*qemu-system-x86' 'install .*rustup$' '^would run: download_node' '!bookworm'
expect "Linux Mint" "$(setup "$mint" --dry-run run)" 'apt-get .*install .*qemu-system-x86'

# --- Others ----------------------------------------------------------------------------------------------------------
bare
expect "Fedora" "$(setup "$fedora" --dry-run)" '^would run: sudo dnf .*install .*qemu-system-x86 .*qemu-img' \
  '^would run: sudo dnf .*install rustup$' '^would run: rustup-init' '^would run: sudo dnf .*install nodejs npm$' '!was run'
expect "Arch" "$(setup "$arch" --dry-run)" '^would run: sudo pacman .*qemu-system-x86 .*qemu-img' '^would run: sudo pacman .* rustup$' '!was run'
expect "Manjaro" "$(setup "$manjaro" --dry-run run)" '^would run: sudo pacman .*qemu-system-x86'
tool uname 'case "$1" in -m) echo arm64 ;; *) echo Darwin ;; esac'
tool xcode-select 'exit 0'
expect "macOS" "$(setup '' --dry-run build window run test)" '^would run: brew install .*qemu' '^would run: brew install .*node$' '^would run: rustup_installer' '!sudo' '!was run'
tool xcode-select 'exit 2'
expect "macOS without compilers" "$(setup '' --dry-run || echo "ended with $?")" 'xcode-select --install' '^ended with 5$'

# --- When nothing is missing, and when something may not be installed ------------------------------------------------
bare
tool dpkg-query 'for package; do case "$package" in -*|*\{*) ;; *) echo "installed $package" ;; esac; done'
tool cargo 'echo "cargo 1.95.0 (1234 2026-01-01)"'
tool node 'echo v22.20.0'
for name in npm cargo-nextest cargo-deny tauri-driver; do tool "$name" 'exit 0'; done
expect "nothing to do" "$(setup "$debian12" build window run test; echo "ended with $?")" '^setup: nothing to do$' '^ended with 0$' '!installing|missing|would'
tool node 'echo v18.20.4'
expect "--check" "$(setup "$debian12" --check || echo "ended with $?")" 'Node.js 18.20.4 is too old' '^ended with 5$' '!installing'
tool node 'echo v22.20.0'
tool cargo 'echo "cargo 1.80.0 (1234 2024-01-01)"'
tool rustup 'exit 0'
expect "Rust that is too old" "$(setup "$debian12" --dry-run)" '^would run: rustup toolchain install stable' '^would run: rustup override set stable$' '!default stable'
expect "an unknown group" "$(setup "$debian12" nonsense || echo "ended with $?")" 'is not a group' '^ended with 2$'

echo "setup: $passed passed, $failed failed"
[ $failed -eq 0 ]
