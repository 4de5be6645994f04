#!/usr/bin/env bash
# Installs what Nestbox needs and this computer does not have. Says what it installs; does nothing, in well
# under a second, when nothing is missing.
#
#   scripts/setup.sh [--check|--list] [GROUP…]      groups: build window run test (default: build window run)
#     --check   installs nothing: says what is missing and ends with 5 if something is
#     --list    prints the packages of the groups, one a line, and ends
#   NESTBOX_SETUP=skip          does nothing at all
#   NESTBOX_BACKPORTS=no        Debian 12: never add the backports suite
#
# The list of packages is scripts/needs.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly MIN_CARGO=1.90 MIN_NODE=20.19
readonly TAURI_DRIVER=2.1.0
mode=install
groups=()
for argument in "$@"; do
  case "$argument" in
    --check) mode=check ;;
    --list) mode=list ;;
    build | window | run | test) groups+=("$argument") ;;
    *) echo "setup: “$argument” is not a group. Use build, window, run or test." >&2; exit 2 ;;
  esac
done
[ ${#groups[@]} -gt 0 ] || groups=(build window run)
[ "${NESTBOX_SETUP:-}" != skip ] || exit 0
PATH="$PWD/.tools/bin:$PWD/.tools/node/bin:${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$1"; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 5; }
wants() { local group; for group in "${groups[@]}"; do [ "$group" = "$1" ] && return 0; done; return 1; }
have() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }   # at_least 1.95.0 1.90
root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
may_install() {
  [ "$mode" = install ] || return 1
  [ "$(id -u)" = 0 ] || have sudo ||
    fail "These packages are missing and installing them needs root, but there is no sudo here:" "$*" \
      "Install them as root, then run this again."
}

# --- Which system ------------------------------------------------------------------------------------------------
system=other
codename=
case "$(uname -s)" in
  Darwin) system=macos ;;
  Linux)
    if have apt-get; then system=debian; elif have dnf; then system=fedora; elif have pacman; then system=arch; fi
    # shellcheck disable=SC1091
    codename=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || true ;;
esac

needed=()
for group in "${groups[@]}"; do
  while read -r -a words; do needed+=("${words[@]}"); done < <(
    awk -v g="$group" -v s="$system" '$1 == g && $2 == s { $1 = $2 = ""; print }' scripts/needs.txt)
done
if wants test && [ "$system" = debian ] && [ -f tests/guests/build.sh ]; then
  while read -r -a words; do needed+=("${words[@]}"); done < <(sed -n 's/^# needs://p' tests/guests/build.sh)
fi
if [ "$mode" = list ]; then printf '%s\n' "${needed[@]}"; exit 0; fi

# --- Packages of the system ----------------------------------------------------------------------------------------
missing=()   # packages to install; a trailing "?" stays on those that may not exist
case "$system" in
  debian)
    installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${needed[@]%\?}" 2>/dev/null | sed -n 's/^installed //p' | sort -u) || true
    for package in "${needed[@]}"; do
      grep -qxF -- "${package%\?}" <<<"$installed" || missing+=("$package")
    done ;;
  fedora) for package in "${needed[@]}"; do rpm -q --whatprovides "$package" >/dev/null 2>&1 || missing+=("$package"); done ;;
  arch) while read -r package; do [ -z "$package" ] || missing+=("$package"); done < <(pacman -T "${needed[@]}" || true) ;;
  macos)
    if have brew; then
      installed=$(brew list --formula -1 2>/dev/null)
      for package in "${needed[@]}"; do grep -qxF -- "$package" <<<"$installed" || missing+=("$package"); done
    else
      have qemu-img || fail "QEMU is missing and so is Homebrew, which installs it." "See https://brew.sh, then run this again."
    fi ;;
  *) say "This system's package manager is not known here. You need what scripts/needs.txt lists, by this system's names for it." ;;
esac

# Debian 12's own QEMU is 7.2. Where newer QEMU tools are already there, its packages can't be installed beside
# them, and where there is no QEMU yet the newer one is the better start: both come from the backports suite.
add_backports() {
  local mirror= key= file
  grep -rhsqE '^[^#]*bookworm-backports' /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources && return 0
  for file in /etc/apt/sources.list.d/*.sources; do   # the mirror that this system takes bookworm from
    [ -f "$file" ] || continue
    IFS='|' read -r mirror key < <(awk -v RS= -v FS='\n' '{
        uri = suites = signed = ""; off = 0
        for (i = 1; i <= NF; i++) {
          if ($i ~ /^URIs:/) { uri = $i; sub(/^URIs:[ \t]*/, "", uri); sub(/[ \t].*/, "", uri) }
          if ($i ~ /^Suites:/) suites = $i " "
          if ($i ~ /^Signed-By:/) { signed = $i; sub(/^Signed-By:[ \t]*/, "", signed) }
          if ($i ~ /^Enabled:[ \t]*no/) off = 1
        }
        if (!off && suites ~ /[ \t]bookworm[ \t]/) { print uri "|" signed; exit }
      }' "$file") || true
    [ -z "$mirror" ] || break
  done
  if [ -z "$mirror" ]; then
    mirror=$(awk '$1 == "deb" { i = 2; if ($2 ~ /^\[/) while ($i !~ /\]$/ && i < NF) i++; if ($2 ~ /^\[/) i++
             if ($(i + 1) == "bookworm") { print $i; exit } }' /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null) || true
  fi
  [ -n "$mirror" ] || fail "Debian 12 needs its backports suite for a newer QEMU, but no Debian mirror was found in this system's apt sources." \
    "Add the suite “bookworm-backports” to them, then run this again."
  [ -n "$key" ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
  say "adding the suite bookworm-backports of this system's own Debian mirror (/etc/apt/sources.list.d/nestbox-backports.sources)"
  printf 'Types: deb\nURIs: %s\nSuites: bookworm-backports\nComponents: main\nSigned-By: %s\n' "$mirror" "$key" |
    root tee /etc/apt/sources.list.d/nestbox-backports.sources >/dev/null
}

install_debian() {
  local package plain=() newer=() utils
  apt() { root env DEBIAN_FRONTEND=noninteractive apt-get -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -qq "$@"; }
  local from_backports=no
  if [ "$codename" = bookworm ] && [ "${NESTBOX_BACKPORTS:-}" != no ]; then
    utils=$(dpkg-query -W -f '${Version}' qemu-utils 2>/dev/null || true)
    if [ -z "$utils" ] || dpkg --compare-versions "$utils" gt 1:8; then from_backports=yes; fi
  fi
  for package in "${missing[@]}"; do
    case "$package" in qemu-system-* | qemu-utils) newer+=("$package") ;; *) plain+=("$package") ;; esac
  done
  [ "$from_backports" = yes ] && [ ${#newer[@]} -gt 0 ] && add_backports
  apt update
  # Those that may not exist here are dropped when apt does not know them.
  known() { local name; for name in "$@"; do
      case "$name" in *\?) apt-cache policy "${name%\?}" | grep -q 'Candidate: [^(]' && echo "${name%\?}" ;; *) echo "$name" ;; esac; done; return 0; }
  mapfile -t plain < <(known "${plain[@]}")
  mapfile -t newer < <(known "${newer[@]}")
  if [ "$from_backports" = yes ]; then
    [ ${#newer[@]} -eq 0 ] || apt install --no-install-recommends -t bookworm-backports "${newer[@]}"
  else
    plain+=("${newer[@]}")
  fi
  [ ${#plain[@]} -eq 0 ] || apt install --no-install-recommends "${plain[@]}"
}

# A "?" package that this system does not know is not missing.
if [ "$system" = debian ] && [ ${#missing[@]} -gt 0 ]; then
  certain=no
  for package in "${missing[@]}"; do
    case "$package" in *\?) ! apt-cache policy "${package%\?}" 2>/dev/null | grep -q 'Candidate: [^(]' || certain=yes ;; *) certain=yes ;; esac
  done
  [ "$certain" = yes ] || missing=()
fi

if [ ${#missing[@]} -gt 0 ]; then
  list="${missing[*]%\?}"
  if [ "$mode" = check ]; then
    say "missing packages: $list"
  else
    may_install "$list"
    say "installing: $list"
    case "$system" in
      debian) install_debian ;;
      fedora) root dnf -q -y install "${missing[@]}" ;;
      arch) root pacman -S --needed --noconfirm "${missing[@]}" ;;
      macos) brew install --quiet "${missing[@]}" ;;
    esac
  fi
fi

# --- Rust and Node -------------------------------------------------------------------------------------------------
unfit=0
rust_version() { cargo --version 2>/dev/null | awk '{ print $2 }'; }
node_version() { node --version 2>/dev/null | sed 's/^v//'; }

if wants build && ! { v=$(rust_version) && [ -n "$v" ] && at_least "$v" "$MIN_CARGO"; }; then
  if [ "$mode" = install ]; then
    if ! have rustup; then
      case "$system" in
        debian) apt-cache policy rustup 2>/dev/null | grep -q 'Candidate: [^(]' && may_install rustup && say "installing: rustup" &&
                root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends rustup || true ;;
        fedora) root dnf -q -y install rustup && rustup-init -y --profile minimal -c clippy -c rustfmt || true ;;
        arch) root pacman -S --needed --noconfirm rustup || true ;;
        macos) have brew && brew install --quiet rustup || true ;;
      esac
      hash -r
    fi
    if ! have rustup && have curl; then
      say "installing Rust for this user with rustup (its own installer, from sh.rustup.rs)"
      installer=$(mktemp)
      curl --proto '=https' --tlsv1.2 -fsS --max-time 60 https://sh.rustup.rs -o "$installer" &&
        sh "$installer" -y --no-modify-path --profile minimal -c clippy -c rustfmt || true
      rm -f "$installer"; hash -r
    elif have rustup; then
      say "bringing Rust up to date with rustup"
      rustup toolchain install stable --profile minimal -c clippy -c rustfmt && rustup default stable || true
    fi
  fi
  v=$(rust_version)
  if [ -z "$v" ] || ! at_least "$v" "$MIN_CARGO"; then
    unfit=1
    say "Rust ${v:-is missing}${v:+ is too old}: cargo $MIN_CARGO or newer is needed, and it could not be installed from here."
    printf '       %s\n' "Install it with rustup (https://rustup.rs), which needs no root; a distribution's own “cargo” is often older." >&2
  fi
fi

install_node() {   # into .tools/node, for this checkout only; checked against the published checksums
  local base=${NESTBOX_NODE_DIST:-https://nodejs.org/dist/latest-v22.x} os cpu name folder
  have curl && have tar || return 1
  os=$(uname -s | tr '[:upper:]' '[:lower:]')
  case "$(uname -m)" in x86_64) cpu=x64 ;; aarch64 | arm64) cpu=arm64 ;; *) return 1 ;; esac
  folder=$(mktemp -d)
  if curl -fsS --max-time 30 "$base/SHASUMS256.txt" -o "$folder/sums" &&
    name=$(awk -v p="-$os-$cpu.tar.gz\$" '$2 ~ p { print $2; exit }' "$folder/sums") && [ -n "$name" ] &&
    curl -fsS --max-time 600 "$base/$name" -o "$folder/$name" &&
    (cd "$folder" && grep -F " $name" sums | { sha256sum -c --status 2>/dev/null || shasum -a 256 -c --status; }) &&
    tar -xzf "$folder/$name" -C "$folder"; then
    rm -rf .tools/node && mkdir -p .tools && mv "$folder/${name%.tar.gz}" .tools/node
  fi
  rm -rf "$folder"; hash -r
}

if wants build && ! { v=$(node_version) && [ -n "$v" ] && at_least "$v" "$MIN_NODE" && have npm; }; then
  if [ "$mode" = install ]; then
    candidate=
    [ "$system" != debian ] || candidate=$(apt-cache policy nodejs 2>/dev/null | awk '/Candidate:/ { print $2 }' | sed 's/^[0-9]*://; s/[^0-9.].*//')
    if [ -n "$candidate" ] && at_least "$candidate" "$MIN_NODE"; then
      may_install "nodejs npm" && say "installing: nodejs npm" && root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends nodejs npm || true
    elif [ "$system" = fedora ]; then root dnf -q -y install nodejs npm || true
    elif [ "$system" = arch ]; then root pacman -S --needed --noconfirm nodejs npm || true
    elif [ "$system" = macos ] && have brew; then brew install --quiet node || true
    else
      say "installing Node.js into .tools/node (this checkout only): this system's own is missing or older than $MIN_NODE"
      install_node || true
    fi
    hash -r
  fi
  v=$(node_version)
  if [ -z "$v" ] || ! at_least "$v" "$MIN_NODE" || ! have npm; then
    unfit=1
    say "Node.js ${v:-is missing}${v:+ is too old or has no npm}: $MIN_NODE or newer with npm is needed, and it could not be installed from here."
    printf '       %s\n' "Debian 12 and Ubuntu 24.04 have only version 18. Take it from https://nodejs.org or by a version manager (fnm, nvm, mise)." >&2
  fi
fi

# --- Cargo tools for the tests ---------------------------------------------------------------------------------------
if wants test && [ "$unfit" = 0 ]; then
  tools=()
  have cargo-nextest || tools+=(cargo-nextest)
  [ "$system" = macos ] || have tauri-driver || tools+=("tauri-driver@$TAURI_DRIVER")   # there is no WebDriver for WKWebView
  for tool in ${tools[@]+"${tools[@]}"}; do
    if [ "$mode" = check ]; then say "missing: ${tool%@*} (cargo install)"; missing+=("$tool"); continue; fi
    say "building ${tool%@*} with cargo install (once, a few minutes)"
    cargo install --quiet --locked "$tool" || { unfit=1; say "“cargo install --locked $tool” failed; see above."; }
  done
fi

[ "$mode" = install ] || [ ${#missing[@]} -eq 0 ] || exit 5
[ "$unfit" = 0 ] || exit 5
