# Part of scripts/setup.sh, which reads it: the packages of the operating system.
# shellcheck shell=bash disable=SC2154,SC2034  # system, codename, mode and needed are set there, changed and unfit read

# Fills “missing” with those of “needed” that are not installed; a trailing "?" stays on those that may not exist.
find_missing() {
  local package installed
  missing=()
  [ ${#needed[@]} -gt 0 ] || return 0
  case "$system" in
    debian)
      installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${needed[@]%\?}" 2>/dev/null | sed -n 's/^installed //p') || true
      for package in "${needed[@]}"; do
        grep -qxF -- "${package%\?}" <<<"$installed" || missing+=("$package")
      done
      if only_doubtful; then missing=(); fi ;;
    fedora) for package in "${needed[@]}"; do rpm -q --whatprovides "$package" >/dev/null 2>&1 || missing+=("$package"); done ;;
    arch) while read -r package; do [ -z "$package" ] || missing+=("$package"); done < <(pacman -T "${needed[@]}" || true) ;;
    macos)
      xcode-select -p >/dev/null 2>&1 || fail "Apple's command line tools are missing." "Run: xcode-select --install"
      if have brew; then
        installed=$(brew list --formula -1 2>/dev/null) || true
        for package in "${needed[@]}"; do grep -qxF -- "$package" <<<"$installed" || missing+=("$package"); done
      else
        have qemu-img || fail "QEMU is missing and so is Homebrew, which installs it." "See https://brew.sh, then run this again."
      fi ;;
    *) say "This system's package manager is not known here. You need what scripts/needs.txt lists, by this system's names for it." ;;
  esac
}

install_packages() {
  find_missing
  [ ${#missing[@]} -gt 0 ] || return 0
  changed=yes
  if ! installs; then say "missing packages: $(known "${missing[@]}" | tr '\n' ' ')"; unfit=yes; return 0; fi
  needs_root "${missing[*]%\?}"
  case "$system" in
    debian) install_debian ;;
    fedora) say "installing: ${missing[*]}"; root dnf -q -y install "${missing[@]}" ;;
    arch) say "installing: ${missing[*]}"; root pacman -S --needed --noconfirm "${missing[@]}" ;;
    macos) say "installing: ${missing[*]}"; run brew install --quiet "${missing[@]}" ;;
  esac || fail "These packages could not be installed; see above: ${missing[*]%\?}"
}

# --- Debian and its kin --------------------------------------------------------------------------------------------
# apt-get without questions; what it says goes to a file, whose end is shown when it fails.
apt() {
  local command=(root env DEBIAN_FRONTEND=noninteractive apt-get -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@")
  if [ "$mode" = dry-run ]; then "${command[@]}"; return; fi
  mkdir -p .tools
  "${command[@]}" >.tools/apt.log || { tail -n 20 .tools/apt.log >&2; return 1; }
}
candidate() { { apt-cache policy "$1" 2>/dev/null || true; } | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

# Nothing is missing but what apt does not know.
only_doubtful() {
  local package
  for package in ${missing[@]+"${missing[@]}"}; do
    case "$package" in *\?) [ -z "$(candidate "${package%\?}")" ] || return 1 ;; *) return 1 ;; esac
  done
}

# Those of the packages that apt knows; the rest were marked with "?".
known() {
  local package
  for package in "$@"; do
    case "$package" in *\?) [ -z "$(candidate "${package%\?}")" ] || echo "${package%\?}" ;; *) echo "$package" ;; esac
  done
}

# Debian 12's own QEMU is 7.2. Where newer QEMU packages are already there, its own can't be installed beside them, and
# where there is no QEMU yet the newer one is the better start: both come from the backports suite.
wants_backports() {
  local version
  [ "$codename" = bookworm ] && [ "${NESTBOX_BACKPORTS:-}" != no ] || return 1
  version=$(dpkg-query -W -f '${db:Status-Status} ${Version}\n' qemu-system-common qemu-utils 2>/dev/null | sed -n 's/^installed //p' | head -n 1) || true
  [ -z "$version" ] || dpkg --compare-versions "$version" gt 1:8
}

# Adds the suite, from the mirror that this system takes bookworm itself from, unless it is there.
add_backports() {
  local file=/etc/apt/sources.list.d/nestbox-backports.sources mirror
  # shellcheck disable=SC2016  # apt-get replaces $(REPO_URI)
  sources() { apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' "Release: $1" | grep -v '^cdrom:' | head -n 1; }
  [ -z "$(sources bookworm-backports)" ] || return 0
  mirror=$(sources bookworm) || true
  [ -n "$mirror" ] || [ "$mode" = dry-run ] || fail "Debian 12 needs its backports suite for a newer QEMU, but no Debian mirror was found in this system's apt sources." \
    "Add the suite “bookworm-backports” to them and run this again, or keep QEMU 7.2 by NESTBOX_BACKPORTS=no."
  say "adding the suite bookworm-backports of this system's own Debian mirror ($file)"
  root install -m 644 /dev/stdin "$file" <<SOURCE &&
Types: deb
URIs: $mirror
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCE
    apt update
}

install_debian() {
  local package plain=() newer=() options=() backports=no pins
  say "reading the lists of packages (apt-get update)"
  apt update || return
  if wants_backports; then backports=yes; fi
  while read -r package; do
    case "$backports $package" in yes\ qemu-system-* | yes\ qemu-utils) newer+=("$package") ;; *) plain+=("$package") ;; esac
  done < <(known "${missing[@]}")
  say "installing: ${plain[*]-} ${newer[*]-}"
  [ ${#newer[@]} -eq 0 ] || add_backports || return

  # The release's own packages come first: QEMU from backports brings newer libraries, and those of their kin that are
  # there by then are brought up to date with them.
  if [ ${#plain[@]} -gt 0 ]; then
    if [ "$backports" = yes ] && ! apt-get -s install --no-install-recommends "${plain[@]}" >/dev/null 2>&1; then
      # Libraries from backports are installed already and hold the release's own back: take their kin from there, too.
      pins=$(mktemp)
      printf 'Package: *\nPin: release n=bookworm-backports\nPin-Priority: 500\n' >"$pins"
      options=(-o "Dir::Etc::Preferences=$pins")
      chmod 644 "$pins"
    fi
    apt ${options[@]+"${options[@]}"} install --no-install-recommends "${plain[@]}" || return
    [ -z "${pins:-}" ] || rm -f "$pins"
  fi
  [ ${#newer[@]} -eq 0 ] || apt install --no-install-recommends -t bookworm-backports "${newer[@]}"
}
