#!/bin/sh
# Builds the guests of the tests from Debian packages: small real systems that boot in seconds under emulation.
#
#   build.sh [FOLDER]      default target/guests of this checkout, or NESTBOX_TEST_GUESTS
#
# Makes FOLDER/tiny-amd64.qcow2, FOLDER/tiny-arm64.qcow2 and FOLDER/tiny.iso. Nothing to do when they are there and the recipe is
# unchanged; two builders at once wait for each other. Root is not needed, the system's packages and apt's lists are left alone:
# apt works in a folder of its own, with this system's Debian sources.
# Exit codes: 0 done · 1 failed · 3 this computer cannot build them (not Debian, or a tool is missing: said on stderr).
#
# needs: xorriso mtools fdisk e2fsprogs qemu-utils cpio perl-base util-linux
set -eu
LC_ALL=C
export LC_ALL PATH="$PATH:/usr/sbin:/sbin"

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-${NESTBOX_TEST_GUESTS:-$here/../../target/guests}}
mkdir -p "$out"
out=$(cd "$out" && pwd)

cannot() { echo "guests: $*" >&2; exit 3; }
recipe=$(cat "$here/build.sh" "$here/uki.pl" "$here"/guest/* | sha256sum | cut -c 1-16)
built() { [ "$(cat "$out/recipe" 2>/dev/null)" = "$recipe" ] && [ -s "$out/tiny-amd64.qcow2" ] && [ -s "$out/tiny-arm64.qcow2" ] && [ -s "$out/tiny.iso" ]; }
built && exit 0

command -v flock >/dev/null || cannot "flock is missing (apt-get install util-linux)"
exec 9>"$out/lock"
flock -w 1800 9 || cannot "another build of the guests holds $out/lock for half an hour"
built && exit 0

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || cannot "the guests are made of Debian packages, which needs apt"
missing=
for need in xorriso:xorriso mtools:mcopy fdisk:sfdisk e2fsprogs:mke2fs qemu-utils:qemu-img cpio:cpio perl-base:perl; do
    command -v "${need#*:}" >/dev/null || missing="$missing ${need%:*}"
done
[ -z "$missing" ] || cannot "packages missing:$missing (apt-get install$missing)"

work=$(mktemp -d "$out/work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# --- Packages -------------------------------------------------------------------------------------------------------
# apt in a folder of its own: both architectures without touching the system's dpkg, no root. The package files are kept
# between builds, the lists are fetched once a day at most.
apt=$out/apt
mkdir -p "$apt/state/lists/partial" "$apt/sources" "$apt/packages"
: >"$apt/state/status"
rm -f "$apt"/sources/*
suite=
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    # Debian's own archive, whatever its mirror; not backports, for the guests are of one release.
    grep -Eq '^(URIs:|deb ).*/debian(-security)?/?( |$)' "$file" || continue
    grep -Eq '^[^#]*-backports' "$file" && ! grep -Eq '^Suites:.*(bookworm|trixie)( |$)' "$file" && continue
    cp "$file" "$apt/sources/"
    suite=yes
done
[ -n "$suite" ] || cannot "no Debian archive among this system's apt sources: the guests can be built on Debian only"
# Sources limited to this computer's architecture would hide the other one.
sed -i -e '/^Architectures:/d' -e 's/^\(deb .*\[[^]]*\)arch=[^] ]*/\1/' "$apt"/sources/*
cat >"$apt/apt.conf" <<END
Dir::State "$apt/state";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "amd64";
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
END
APT_CONFIG=$apt/apt.conf
export APT_CONFIG
if [ -z "$(find "$apt/lists-fetched" -mtime -1 2>/dev/null)" ]; then
    echo "guests: reading the package lists" >&2
    mkdir -p "$apt/cache/archives/partial"
    apt-get update -qq
    : >"$apt/lists-fetched"
fi

# The real package behind a kernel's metapackage.
kernel_package() { apt-cache depends "linux-image-$1:$1" | sed -n 's/.*Depends: \(linux-image-[0-9][^:<>]*\).*/\1/p' | head -n 1; }

# Fetches packages (name:arch) that are not there yet in the archive's present version, all in one go.
fetch() {
    apt-get download --print-uris "$@" | sed -n "s/^'[^']*' \([^ ]*\) .*/\1/p" >"$work/wanted"
    [ "$(wc -l <"$work/wanted")" -eq $# ] || { echo "guests: the archive lacks one of these packages: $*" >&2; exit 1; }
    for package; do
        file=$(grep "^${package%:*}_" "$work/wanted" | head -n 1)
        [ -s "$apt/packages/$file" ] && continue
        echo "guests: fetching $package" >&2
        # The old version makes room; the name gives the archive's independent packages any architecture.
        (cd "$apt/packages" && rm -f "${package%:*}_"*"_${file##*_}" && apt-get download -qq "$package")
    done
}

# Unpacks fetched packages into a folder, leaving out what no guest of ours can have.
unpack() { # folder name:arch…
    mkdir -p "$1"
    folder=$1
    shift
    fetch "$@"
    for package; do
        set -- "$apt/packages/${package%:*}_"*"_${package#*:}.deb"
        [ -e "$1" ] || set -- "$apt/packages/${package%:*}_"*_all.deb
        dpkg-deb --fsys-tarfile "$1" | tar -x -C "$folder" --exclude='*/kernel/sound' \
            --exclude='*/drivers/media' --exclude='*/drm/amd' --exclude='*/drm/i915' --exclude='*/drm/nouveau' --exclude='*/drm/radeon' \
            --exclude='*/net/ethernet' --exclude='*/net/wireless' --exclude='*/drivers/infiniband' --exclude='*/drivers/iio' --exclude='./usr/share'
    done
}

# --- Root file system ------------------------------------------------------------------------------------------------
first='virtio_pci virtio_blk virtio_net virtio-rng crc32c_generic ext4 vfat nls_ascii nls_cp437 nls_utf8 isofs virtio_scsi sd_mod sr_mod ahci button evdev'
screen='virtio-gpu bochs xhci-pci usbhid hid-generic virtio_console virtio_balloon'
libraries='libc6 libcrypt1 libtomcrypt1 libtommath1 libgmp10 zlib1g libfdisk1 libblkid1 libuuid1 libsmartcols1 libreadline8 libtinfo6 libext2fs2 libcom-err2 libglib2.0-0 libpcre2-8-0 libnuma1 libudev1 liburing2 libgcc-s1 libselinux1 libmount1 libffi8'

# Prints a module and what it needs, dependencies first, as paths below the kernel's folder; built-in ones print nothing.
module_list() { # kernel-folder name…
    kernel_folder=$1
    shift
    for module; do
        path=$(find "$kernel_folder" -name "$(echo "$module" | sed 's/[-_]/[-_]/g').ko*" | head -n 1)
        if [ -z "$path" ]; then
            grep -q "/$(echo "$module" | sed 's/[-_]/[-_]/g')\.ko" "$kernel_folder"/*/modules.builtin && continue
            echo "guests: the kernel has no module $module" >&2
            continue
        fi
        # shellcheck disable=SC2046
        (module_list "$kernel_folder" $(tr '\0' '\n' <"$path" | sed -n 's/^depends=//p' | head -n 1 | tr ',' ' '))
        echo "$path"
    done
}

root_file_system() { # arch
    arch=$1
    packages=$work/$arch
    root=$work/root-$arch
    kernel=$(kernel_package "$arch")
    set --
    for package in "$kernel" busybox-static dropbear-bin systemd-boot-efi fdisk e2fsprogs qemu-guest-agent $libraries; do set -- "$@" "$package:$arch"; done
    unpack "$packages" "$@"
    cp "$packages"/boot/vmlinuz-* "$work/kernel-$arch"

    mkdir -p "$root/bin" "$root/sbin" "$root/usr/sbin" "$root/usr/bin" "$root/root" "$root/etc/acpi/PWRF" "$root/lib/guest" "$root/lib/modules" "$root/dev"
    cp "$packages/bin/busybox" "$root/bin/busybox"
    cp "$here/guest/init" "$root/init"
    for file in common disk seed json.awk dhcp ssh agent rootd power-off live-shell ctrl-alt-delete; do cp "$here/guest/$file" "$root/lib/guest/"; done
    for word in counter paint; do cp "$here/guest/$word" "$root/usr/bin/$word"; done
    for word in poweroff reboot panic break; do cp "$here/guest/root-word" "$root/usr/bin/guest-$word"; done
    ln -s /lib/guest/power-off "$root/etc/acpi/PWRF/00000080"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
    echo 'root:!:19000:0:99999:7:::' >"$root/etc/shadow"
    chmod 600 "$root/etc/shadow"
    printf 'root:x:0:\ntty:x:5:\n' >"$root/etc/group"
    echo '/bin/sh' >"$root/etc/shells"
    printf '\nNestbox test guest \\m \\l\n' >"$root/etc/issue"
    printf 'NAME="Nestbox test guest"\nID=nestbox-guest\nVERSION_ID=1\n' >"$root/etc/os-release"
    echo 'export PATH=/usr/bin:/bin:/usr/sbin:/sbin' >"$root/etc/profile"

    # Programs with the libraries they name, found without running anything of the other architecture.
    for program in usr/sbin/dropbear usr/bin/dropbearkey sbin/sfdisk sbin/resize2fs usr/sbin/qemu-ga; do
        cp -L "$packages/$program" "$root/usr/sbin/${program##*/}"
    done
    triplet=x86_64-linux-gnu
    [ "$arch" = amd64 ] || triplet=aarch64-linux-gnu
    mkdir -p "$root/lib/$triplet"
    todo=$(find "$root/usr/sbin" -type f)
    while [ -n "$todo" ]; do
        more=
        for file in $todo; do
            for library in $(needed "$file"); do
                [ -e "$root/lib/$triplet/$library" ] && continue
                found=$(find "$packages/lib" "$packages/usr/lib" -name "$library" | head -n 1)
                [ -n "$found" ] || { echo "guests: $file needs $library, which no package brought" >&2; exit 1; }
                cp -L "$found" "$root/lib/$triplet/$library"
                more="$more $root/lib/$triplet/$library"
            done
        done
        todo=$more
    done
    if [ "$arch" = amd64 ]; then
        mkdir -p "$root/lib64" && ln -s "/lib/$triplet/ld-linux-x86-64.so.2" "$root/lib64/ld-linux-x86-64.so.2"
    else
        ln -s "/lib/$triplet/ld-linux-aarch64.so.1" "$root/lib/ld-linux-aarch64.so.1"
    fi

    for group in first screen; do
        eval "names=\$$group"
        # shellcheck disable=SC2154,SC2086
        module_list "$packages/lib/modules" $names | awk '!seen[$0]++' >"$work/modules"
        while read -r module; do
            [ -e "$root/lib/modules/${module##*/}" ] && continue
            cp "$module" "$root/lib/modules/"
            echo "${module##*/}" >>"$root/lib/modules/$group"
        done <"$work/modules"
    done
    (cd "$root" && find . -print0 | LC_ALL=C sort -z | cpio --null --quiet -o -H newc -R 0:0) | gzip -9n >"$work/initrd-$arch"
}

# Names of the shared libraries an ELF file asks for (64-bit little-endian, as both architectures are).
needed() {
    perl -e '
        open(my $f, "<:raw", $ARGV[0]) or die; local $/; my $d = <$f>; exit unless substr($d, 0, 4) eq "\x7fELF";
        my ($shoff, $size, $count) = (unpack("Q<", substr($d, 0x28, 8)), unpack("v", substr($d, 0x3a, 2)), unpack("v", substr($d, 0x3c, 2)));
        for my $i (0 .. $count - 1) {
            my ($name, $type, $flags, $address, $at, $length, $link) = unpack("VVQ<Q<Q<Q<V", substr($d, $shoff + $i * $size, $size));
            next unless $type == 6;
            my ($strings) = unpack("Q<", substr($d, $shoff + $link * $size + 24, 8));
            for (my $p = $at; $p < $at + $length; $p += 16) {
                my ($tag, $value) = unpack("Q<Q<", substr($d, $p, 16));
                print unpack("Z*", substr($d, $strings + $value, 256)), "\n" if $tag == 1;
            }
        }' "$1"
}

# --- Disks -----------------------------------------------------------------------------------------------------------
options() { # arch medium
    case $1 in
    amd64) echo "console=tty0 console=ttyS0,115200 quiet loglevel=3 mitigations=off random.trust_cpu=on tsc=reliable no_timer_check medium=$2" ;;
    arm64) echo "console=tty0 console=ttyAMA0 quiet loglevel=3 mitigations=off arm64.nopauth medium=$2" ;;
    esac
}

unified() { # arch medium output
    case $1 in amd64) stub=linuxx64.efi.stub ;; arm64) stub=linuxaa64.efi.stub ;; esac
    options "$1" "$2" | tr -d '\n' >"$work/cmdline"
    cp "$work/root-$1/etc/os-release" "$work/osrel"
    perl "$here/uki.pl" "$work/$1/usr/lib/systemd/boot/efi/$stub" "$3" \
        "osrel=$work/osrel" "cmdline=$work/cmdline" "linux=$work/kernel-$1" "initrd=$work/initrd-$1"
}

mebibytes() { echo $((($(wc -c <"$1") + 1048575) / 1048576)); }

# A FAT volume with the unified kernel where firmware looks for it.
boot_volume() { # arch uki output extra-MiB
    case $1 in amd64) name=BOOTX64.EFI ;; arm64) name=BOOTAA64.EFI ;; esac
    truncate -s $(($(mebibytes "$2") + 4 + $4))M "$3"
    mformat -i "$3" -v ESP -N 4e455354 ::
    mmd -i "$3" ::/EFI ::/EFI/BOOT
    mcopy -i "$3" "$2" "::/EFI/BOOT/$name"
}

disk() { # arch
    root_file_system "$1"
    unified "$1" disk "$work/uki"
    boot=$work/boot-$1
    if [ "$1" = amd64 ]; then
        boot_volume "$1" "$work/uki" "$boot" $(($(mebibytes "$work/kernel-$1") + $(mebibytes "$work/initrd-$1") + 1))
        bios_boot "$boot"
    else
        boot_volume "$1" "$work/uki" "$boot" 0
    fi
    truncate -s 24M "$work/data"
    mke2fs -q -t ext4 -L nestbox-data -m 0 -O ^metadata_csum,^has_journal,resize_inode -E resize=16777216,lazy_itable_init=1,root_owner=0:0 -U 4e455354-424f-5844-4154-4100000000$([ "$1" = amd64 ] && echo 01 || echo 02) "$work/data"
    size=$(mebibytes "$boot")
    image=$work/disk-$1
    truncate -s $((1 + size + 24 + 1))M "$image"
    sfdisk -q "$image" <<END
label: gpt
start=2048, size=$((size * 2048)), type=uefi, name=boot, attrs=LegacyBIOSBootable
start=$(((1 + size) * 2048)), size=$((24 * 2048)), type=linux, name=data
END
    dd if="$boot" of="$image" bs=1M seek=1 conv=notrunc status=none
    dd if="$work/data" of="$image" bs=1M seek=$((1 + size)) conv=notrunc status=none
    # Boot code of the protective MBR: only the first 440 bytes are code.
    [ "$1" != amd64 ] || [ ! -s "$work/mbr" ] || dd if="$work/mbr" of="$image" bs=440 count=1 conv=notrunc status=none
    qemu-img convert -q -c -f raw -O qcow2 "$image" "$work/tiny-$1.qcow2"
}

# syslinux for machines with a BIOS; its installer is a program of this architecture.
bios_boot() { # boot-volume
    unpack "$work/syslinux" syslinux:amd64 syslinux-common:amd64
    [ "$(dpkg --print-architecture)" = amd64 ] || { echo "guests: the amd64 disk starts by UEFI only, the BIOS loader's installer needs an amd64 computer" >&2; return 0; }
    printf 'DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n  KERNEL /kernel\n  INITRD /initrd\n  APPEND %s\n' "$(options amd64 disk)" >"$work/syslinux.cfg"
    mcopy -i "$1" "$work/kernel-amd64" ::/kernel
    mcopy -i "$1" "$work/initrd-amd64" ::/initrd
    mcopy -i "$1" "$work/syslinux.cfg" ::/syslinux.cfg
    "$work/syslinux/usr/bin/syslinux" --install "$1"
    cp "$work/syslinux/usr/lib/syslinux/mbr/gptmbr.bin" "$work/mbr"
}

iso() {
    unpack "$work/isolinux" isolinux:amd64 syslinux-common:amd64
    tree=$work/iso
    mkdir -p "$tree/isolinux" "$tree/EFI" "$tree/.disk"
    cp "$work/initrd-amd64" "$tree/isolinux/initrd"
    unified amd64 iso "$work/uki"
    boot_volume amd64 "$work/uki" "$tree/EFI/boot.img" 0
    cp "$work/kernel-amd64" "$tree/isolinux/kernel"
    cp "$work/isolinux/usr/lib/ISOLINUX/isolinux.bin" "$work/isolinux/usr/lib/syslinux/modules/bios/ldlinux.c32" "$tree/isolinux/"
    printf 'DEFAULT linux\nPROMPT 0\nTIMEOUT 0\nLABEL linux\n  KERNEL kernel\n  INITRD initrd\n  APPEND %s\n' "$(options amd64 iso)" >"$tree/isolinux/isolinux.cfg"
    echo 'Debian GNU/Linux 12 "Bookworm" - tiny amd64 for tests' >"$tree/.disk/info"
    xorriso -as mkisofs -quiet -o "$work/tiny.iso" -V 'Debian 12.0.0 amd64 n' -r -J \
        -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table \
        -eltorito-alt-boot -e EFI/boot.img -no-emul-boot -isohybrid-gpt-basdat \
        -isohybrid-mbr "$work/isolinux/usr/lib/ISOLINUX/isohdpfx.bin" "$tree"
}

echo "guests: building in $out" >&2
disk amd64
disk arm64
iso
rm -f "$out/recipe"
for file in tiny-amd64.qcow2 tiny-arm64.qcow2 tiny.iso; do
    chmod 444 "$work/$file"
    mv -f "$work/$file" "$out/$file"
done
echo "$recipe" >"$out/recipe.new"
mv "$out/recipe.new" "$out/recipe"
