/** Plans of imports, by the ending of the path. */
import { error, ok } from "./answers.mjs";

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const base = (path, extra) => ({
  path, recognised: "qcow2", description: "qcow2 v3", name: path.split("/").pop().replace(/\..*$/, ""), system: null, glyph: "??", arch: "x86_64", arch_reason: "this computer's", firmware: "uefi", cpus: 2, memory: 2 * GIB, disk: 40 * GIB, size: Math.round(6.2 * GIB), needs: Math.round(6.2 * GIB), partitions: ["GPT", "EFI", "ext4", "swap"], items: [{ what: "All data, byte for byte", fate: "kept", why: null }], warnings: [], inside: null,
  disks: [{ name: path.split("/").pop(), recognised: "qcow2", description: "qcow2 v3", capacity: 40 * GIB, size: 6 * GIB, partitions: ["GPT", "EFI", "ext4"] }], nics: [], ports: [], shares: [], snapshots: [], medium: null, notes: null, ...extra,
});

export function importPlan(path) {
  if (path.endsWith(".vbox") || path.endsWith(".ova")) {
    return ok(
      base(path, {
        recognised: path.endsWith(".ova") ? "ova" : "vbox", description: path.endsWith(".ova") ? "OVA 1.0 of VirtualBox" : "A machine of VirtualBox", name: "fedora-lab", system: "Fedora 43", glyph: "Fe", disk: 64 * GIB,
        items: [
          { what: "All data, byte for byte", fate: "kept", why: null },
          { what: "2 disks, in their order", fate: "kept", why: null },
          { what: "Network address 08:00:27:3e:11:a0", fate: "kept", why: null },
          { what: "Port forward 2222 to 22", fate: "kept", why: null },
          { what: "UEFI", fate: "kept", why: null },
          { what: "4 processors", fate: "changed", why: "This computer has 2 for machines." },
          { what: "Bridged network", fate: "changed", why: "It is connected to the shared network." },
          { what: "3 snapshots", fate: "dropped", why: "Only the present can be read from VirtualBox’s files." },
          { what: "Shared folder “work”", fate: "dropped", why: "It names a folder of another computer: share one of yours." },
          { what: "3D acceleration", fate: "dropped", why: "There is nothing like it here yet." },
        ],
        warnings: ["The machine was saved, not shut down, in VirtualBox: what it had not written is lost."],
        disks: [
          { name: "fedora-lab.vdi", recognised: "vdi", description: "VDI, dynamic", capacity: 64 * GIB, size: 9 * GIB, partitions: ["GPT", "EFI", "btrfs"] },
          { name: "data-with-a-very-long-name-that-somebody-gave-it-years-ago.vdi", recognised: "vdi", description: "VDI, dynamic", capacity: 200 * GIB, size: 31 * GIB, partitions: ["ext4"] },
        ],
        nics: [{ mac: "08:00:27:3e:11:a0", connection: "NAT", connected: true }, { mac: null, connection: "bridged", connected: false }],
        snapshots: ["one", "two", "three"],
      }),
    );
  }
  if (path.endsWith(".iso")) return ok(base(path, { recognised: "iso", description: "ISO 9660, bootable (BIOS, UEFI)", system: "Alpine 3.22", glyph: "Al", size: 66 * MIB, needs: 0, partitions: [], disks: [] }));
  if (path.endsWith(".xz")) return ok(base(path, { recognised: "xz", inside: "raw", description: "raw image, xz", system: "Debian 13", glyph: "De" }));
  if (path.endsWith(".dat")) return error(400, "unknown-format", "Nothing that Nestbox knows.", "Choose a disk image, an installer (.iso) or a machine of another program.");
  if (path.endsWith(".txt")) return error(400, "unknown-format", "This is text, not a disk image or an installer.", "Choose a disk image, an installer (.iso) or a machine of another program.");
  if (path.endsWith(".vmdk")) return error(400, "outside-file", "The image names a file outside its own folder: /etc/shadow. Such files are never read.", "If you trust it, put the file beside the image and name it without a folder.");
  return ok(base(path, { system: "Debian 12", glyph: "De", warnings: ["The file system was not closed cleanly. Debian repairs it at its first start."] }));
}
