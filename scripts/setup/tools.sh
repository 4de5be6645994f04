# Part of scripts/setup.sh, which reads it: Rust, Node.js and the cargo tools of the tests.
# shellcheck shell=bash disable=SC2154,SC2034  # system and mode are set there, changed and unfit read

readonly MIN_CARGO=1.90 MIN_NODE=20.19
# What `make test` runs besides cargo itself: command and version, each one that MIN_CARGO builds.
readonly CARGO_TOOLS="cargo-nextest@0.9.128 cargo-deny@0.20.2 tauri-driver@2.1.0"

# --- Rust ------------------------------------------------------------------------------------------------------------
rust_version() { cargo --version 2>/dev/null | awk '{ print $2 }'; }
rust_fits() { local v; v=$(rust_version) && [ -n "$v" ] && at_least "$v" "$MIN_CARGO"; }
rust_lints() { cargo fmt --version >/dev/null 2>&1 && cargo clippy --version >/dev/null 2>&1; }

# rustup by its own installer, for this user only.
rustup_installer() {
  local installer
  installer=$(mktemp)
  if curl --proto '=https' --tlsv1.2 -fsS --max-time 60 https://sh.rustup.rs -o "$installer"; then
    sh "$installer" -y --no-modify-path --profile minimal -c clippy -c rustfmt || true
  fi
  rm -f "$installer"
}

# rustup, from the system where it has it.
install_rustup() {
  local packaged=yes
  case "$system" in
    debian) if [ -n "$(candidate rustup)" ]; then needs_root rustup; say "installing: rustup"; apt install --no-install-recommends rustup; else packaged=no; fi ;;
    fedora) say "installing: rustup"; root dnf -q -y install rustup && run rustup-init -y --no-modify-path --profile minimal -c clippy -c rustfmt ;;
    arch) say "installing: rustup"; root pacman -S --needed --noconfirm rustup ;;
    *) packaged=no ;;
  esac || true
  hash -r
  if [ "$packaged" = no ] || { [ "$mode" = install ] && ! have rustup; }; then
    say "installing Rust for this user with rustup (its own installer, from sh.rustup.rs)"
    run rustup_installer
    hash -r
  fi
}

# A toolchain that is new enough, without changing the default of somebody who has one.
update_rust() {
  say "bringing Rust up to date with rustup"
  run rustup toolchain install stable --profile minimal -c clippy -c rustfmt || return 0
  if rustup default >/dev/null 2>&1; then run rustup override set stable; else run rustup default stable; fi || true
}

install_rust() {
  local v
  if ! rust_fits && installs; then
    changed=yes
    if ! have rustup; then install_rustup; fi
    if ! rust_fits && have rustup; then update_rust; fi
  fi
  if wants test && rust_fits && ! rust_lints && have rustup && installs; then
    changed=yes
    say "adding clippy and rustfmt to Rust"
    run rustup component add clippy rustfmt || true
  fi
  [ "$mode" != dry-run ] || return 0
  if ! rust_fits; then
    unfit=yes v=$(rust_version) || true
    say "Rust ${v:-is missing}${v:+ is too old}: cargo $MIN_CARGO or newer is needed, and it could not be installed from here."
    printf '       %s\n' "Install it with rustup (https://rustup.rs), which needs no root; a distribution's own “cargo” is often older." >&2
  elif wants test && ! rust_lints; then
    unfit=yes
    say "Rust's clippy and rustfmt are missing: add them as you installed Rust (“rustup component add clippy rustfmt”)."
  fi
}

# --- Node.js ---------------------------------------------------------------------------------------------------------
node_version() { node --version 2>/dev/null | sed 's/^v//'; }
node_fits() { local v; v=$(node_version) && [ -n "$v" ] && at_least "$v" "$MIN_NODE" && have npm; }

# Into .tools/node, for this checkout only; checked against the published checksums.
download_node() {
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
  rm -rf "$folder"
}

install_node() {
  local v packaged=
  ! node_fits || return 0
  changed=yes
  if installs; then
    if [ "$system" = debian ]; then packaged=$(candidate nodejs | sed 's/^[0-9]*://; s/[^0-9.].*//'); fi
    if [ -n "$packaged" ] && at_least "$packaged" "$MIN_NODE"; then
      needs_root nodejs npm; say "installing: nodejs npm"; apt install --no-install-recommends nodejs npm
    elif [ "$system" = fedora ]; then say "installing: nodejs npm"; root dnf -q -y install nodejs npm
    elif [ "$system" = arch ]; then say "installing: nodejs npm"; root pacman -S --needed --noconfirm nodejs npm
    elif [ "$system" = macos ] && have brew; then say "installing: node"; run brew install --quiet node
    else
      say "installing Node.js into .tools/node (this checkout only): this system's own is missing or older than $MIN_NODE"
      run download_node
    fi || true
    hash -r
  fi
  [ "$mode" != dry-run ] && ! node_fits || return 0
  unfit=yes v=$(node_version) || true
  say "Node.js ${v:-is missing}${v:+ is too old or has no npm}: $MIN_NODE or newer with npm is needed, and it could not be installed from here."
  printf '       %s\n' "Debian 12 and Ubuntu 24.04 have only version 18. Take it from https://nodejs.org or by a version manager (fnm, nvm, mise)." >&2
}

# --- Cargo tools for the tests ---------------------------------------------------------------------------------------
install_cargo_tools() {
  local tool
  for tool in $CARGO_TOOLS; do
    have "${tool%@*}" && continue
    [ "$system ${tool%@*}" != "macos tauri-driver" ] || continue   # there is no WebDriver for WKWebView
    changed=yes
    if ! installs; then say "missing: ${tool%@*} (cargo install)"; unfit=yes; continue; fi
    say "building ${tool%@*} with cargo install (once, a few minutes)"
    run cargo install --quiet --locked "$tool" || { unfit=yes; say "“cargo install --locked $tool” failed; see above."; }
  done
}
