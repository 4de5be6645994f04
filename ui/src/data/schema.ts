/**
 * The HTTP API's shapes, made from docs/openapi.json by "npm run gen:api". Don't edit: change the service's
 * types, write the document anew ("make docs"), then make this file again.
 */
export interface components {
  schemas: {
    /**
     * @description Processor virtualisation used by a backend. `tcg` is emulation in software and is always there.
     * @enum {string}
     */
    Accelerator: "kvm" | "hvf" | "whpx" | "tcg";
    /**
     * @description Which accelerator to run with.
     * @enum {string}
     */
    AcceleratorChoice: "auto" | "kvm" | "hvf" | "whpx" | "tcg";
    /** @description Whether one accelerator works for one guest architecture, proved by running a payload. */
    AcceleratorReport: {
      /** @description Guest architecture. */
      arch: components["schemas"]["Arch"];
      /** @description What to do about it. */
      cure?: string | null;
      /** @description Accelerator. */
      name: components["schemas"]["Accelerator"];
      /** @description Why, for people. */
      reason: string;
      /**
       * Format: double
       * @description Seconds the payload took.
       */
      seconds?: number | null;
      /**
       * Format: double
       * @description How many times slower than native code on this computer, measured here; `None` when not measured.
       */
      slowdown?: number | null;
      /** @description Exact words of QEMU and the system, for experts. */
      technical?: string | null;
      /** @description The payload was really run (false: the device or QEMU is not there, or there is no payload for it). */
      tested: boolean;
      /** @description It ran the payload in time. */
      usable: boolean;
    };
    /** @description The activity list. */
    Activity: {
      entries: components["schemas"]["ActivityEntry"][];
    };
    /** @description A line of the activity list. */
    ActivityEntry: {
      /**
       * Format: date-time
       * @description When.
       */
      at: string;
      /** @description Event kind's word. */
      kind: string;
      machine?: null | components["schemas"]["MachineId"];
      /** @description A sentence. */
      message: string;
    };
    /**
     * @description A guest processor architecture, by QEMU's name for it (`qemu-system-<name>`).
     * @enum {string}
     */
    Arch: "x86_64" | "aarch64" | "riscv64" | "i386" | "arm" | "ppc64" | "s390x";
    /** @description When Nestbox takes snapshots by itself. */
    AutoSnapshots: {
      /** @description Before each start. */
      before_start?: boolean;
      /**
       * Format: int32
       * @description Every so many hours while the machine runs; 0 is never.
       */
      every_hours?: number;
      /**
       * Format: int32
       * @description How many automatic ones are kept, at least 1; those marked to be kept are not counted.
       */
      keep?: number;
    };
    /** @description What a backup holds, as its first part tells. */
    BackupInfo: {
      /**
       * Format: int64
       * @description Bytes once restored, roughly.
       */
      bytes: number;
      /**
       * Format: date-time
       * @description When the backup was made.
       */
      created_at: string;
      /**
       * Format: int32
       * @description Disks of the present.
       */
      disks: number;
      /** @description The machine's name. */
      name: string;
      /** @description Sentences for the user. */
      notes: string[];
      /**
       * Format: int32
       * @description Snapshots in it.
       */
      snapshots: number;
      /** @description Guest system in words. */
      system?: string | null;
      /**
       * Format: int32
       * @description Version of the format.
       */
      version: number;
    };
    /** @description `POST …/backup`. */
    BackupRequest: {
      /** @description With saved memory. */
      memory?: boolean;
      /** @description Replace a file that is there. */
      overwrite?: boolean;
      /** @description With the snapshot tree. */
      snapshots?: boolean;
      /** @description Absolute path of the new file. */
      to: string;
    };
    /** @description A restore that began. */
    BackupRestoreStarted: {
      /** @description The work under way. */
      job: components["schemas"]["Job"];
      /** @description The machine in the making. */
      machine: components["schemas"]["Machine"];
    };
    /** @description A disk that emptying the trash frees with the machines there. */
    BinnedDisk: {
      /**
       * Format: int64
       * @description Bytes that freeing it gives back at most; what snapshots need stays.
       */
      bytes: number;
      /** @description The disk. */
      id: components["schemas"]["DiskId"];
      /** @description The user's words for it. */
      label?: string | null;
      /** @description Whose it was. */
      machine: components["schemas"]["MachineId"];
      /** @description That machine's name. */
      machine_name: string;
    };
    /** @description The image cache: verified downloads that new machines stand on. */
    CacheList: {
      /** @description Images, largest first. */
      images: components["schemas"]["CachedImage"][];
      /**
       * Format: int64
       * @description Bytes of downloads that were not finished; they go on where they were.
       */
      partial: number;
    };
    /** @description What pruning the cache removed, or would remove. */
    CachePruned: {
      /**
       * Format: int64
       * @description Bytes freed, those of unfinished downloads included.
       */
      freed: number;
      /** @description Images that no machine needed. */
      removed: components["schemas"]["CachedImage"][];
    };
    /** @description One image of the cache. */
    CachedImage: {
      /**
       * Format: int64
       * @description Bytes on this computer's disk.
       */
      bytes: number;
      /**
       * Format: date-time
       * @description When it was fetched last, if that is known.
       */
      fetched_at?: string | null;
      /**
       * @description Names of the machines, in the trash too, that stand on it or have it in their drive. It can't be removed while
       *     there are any.
       */
      needed_by: string[];
      /** @description Absolute path. */
      path: string;
      /** @description Templates it was fetched for, as `ubuntu-24.04 (aarch64)`. */
      templates: string[];
    };
    /** @description One image of a disk's chain. */
    ChainImage: {
      /**
       * Format: int64
       * @description Bytes on this computer's disk.
       */
      bytes: number;
      /** @description Absolute path. */
      path: string;
      /** @description Whose it is. */
      role: components["schemas"]["ImageRole"];
    };
    /** @description New settings by key; the keys are [`Machine::settable`]. */
    ChangeRequest: {
      /** @description Key → value. Strings are parsed as on the command line (`memory` takes `4G` or a number of bytes). */
      changes: {
        [key: string]: Record<string, unknown>;
      };
    };
    /** @description One finding. */
    Check: {
      /** @description The exact command or step that mends it; `None` when nothing needs mending. */
      fix?: string | null;
      /** @description Stable word: `qemu.aarch64`, `firmware.aarch64`, `accelerator.kvm`, `space`, `library`, `qemu-img`. */
      id: string;
      /** @description What was found and why it matters, for people. */
      message: string;
      /** @description Verdict. */
      status: components["schemas"]["CheckStatus"];
      /** @description Exact words of tools, for experts. */
      technical?: string | null;
    };
    /** @description How to check. */
    CheckRequest: {
      /** @description Make the index anew from the folders. */
      rebuild?: boolean;
    };
    /**
     * @description Verdict of a check.
     * @enum {string}
     */
    CheckStatus: "ok" | "warning" | "missing" | "failed";
    /** @description Where a clone came from. */
    CloneOrigin: {
      /** @description Its disks stand on the other machine's images, which can't be removed while it exists. */
      linked: boolean;
      /** @description The machine it was cloned from. */
      machine: components["schemas"]["MachineId"];
      /** @description That machine's name then. */
      machine_name: string;
      /** @description The snapshot it was cloned from. */
      snapshot: components["schemas"]["SnapshotId"];
      /** @description That snapshot's name then. */
      snapshot_name: string;
    };
    /** @description Clone a machine. */
    CloneRequest: {
      /** @description An independent copy; else the clone stands on the original's images. */
      full?: boolean;
      /** @description Name of the clone; must be free. */
      name: string;
      /** @description Clone this snapshot; unset: the present, by a snapshot of its own. */
      snapshot?: string | null;
      /** @description Start it when it is ready. */
      start?: boolean;
    };
    /** @description A clone that was made (linked), or is being made (full: `job`). */
    CloneStarted: {
      job?: null | components["schemas"]["Job"];
      /** @description The clone. */
      machine: components["schemas"]["Machine"];
      /** @description What is new in it and what stays equal, in sentences. */
      notes: string[];
    };
    /** @description The command a machine runs as. */
    CommandShown: {
      /** @description Program and arguments. */
      argv: string[];
      /** @description The same, quoted for a POSIX shell. */
      shell: string;
    };
    /** @description One side of a [`Comparison`]. */
    ComparedPoint: {
      /**
       * Format: date-time
       * @description When.
       */
      at: string;
      id?: null | components["schemas"]["SnapshotId"];
      /** @description It holds memory. */
      memory: boolean;
      /** @description Name; “Now” for the present. */
      name: string;
    };
    /** @description What differs between two points of a machine. */
    Comparison: {
      /** @description Disks that differ. */
      disks: components["schemas"]["DiskDifference"][];
      /** @description The earlier side as it was asked for. */
      from: components["schemas"]["ComparedPoint"];
      /**
       * Format: double
       * @description Time between the two, seconds; 0 or more.
       */
      seconds_between: number;
      /** @description Settings that differ. */
      settings: components["schemas"]["SettingDifference"][];
      /** @description The other side. */
      to: components["schemas"]["ComparedPoint"];
    };
    /** @description `POST /v1/convert`: any disk image that can be imported becomes another. */
    ConvertRequest: {
      /** @description Absolute path of the image; never changed. */
      file: string;
      format?: null | components["schemas"]["ExportFormat"];
      /** @description Replace a file that is there. */
      overwrite?: boolean;
      /** @description Absolute path of the new file. */
      to: string;
    };
    /** @description What to copy out of a disk. */
    CopyOutRequest: {
      /** @description Replace files that are there; folders become one. */
      overwrite?: boolean;
      /** @description `[VOLUME:]/PATH` each. Folders with all that is in them. */
      paths: string[];
      /** @description A snapshot; left out: the present. */
      snapshot?: string | null;
      /** @description An existing folder to copy into, or for one path the new file or folder. Absolute. */
      to: string;
    };
    /** @description Make a machine. Unset values come from the template, the file or this computer. */
    CreateRequest: {
      arch?: null | components["schemas"]["Arch"];
      /**
       * Format: int32
       * @description Virtual processors.
       */
      cpus?: number | null;
      /**
       * Format: int64
       * @description Capacity of the first disk, bytes.
       */
      disk?: number | null;
      firmware?: null | components["schemas"]["Firmware"];
      /**
       * Format: int64
       * @description Bytes.
       */
      memory?: number | null;
      /** @description Name; must be free. */
      name: string;
      /** @description Network of the first NIC; `default` unless set. */
      network?: string | null;
      /** @description Its password. Only a hash of it is kept, in the seed. */
      password?: string | null;
      /** @description What cloud-init does at the first boot, beside what the template says. */
      setup?: components["schemas"]["Setup"];
      /** @description What it is made from. */
      source: components["schemas"]["CreateSource"];
      /** @description Public keys that may sign in, beside the machine's own. */
      ssh_keys?: string[];
      /** @description Start it when it is ready. */
      start?: boolean;
      /** @description Tags. */
      tags?: string[];
      /** @description Account to make (cloud images). */
      user?: string | null;
      /** @description Further cloud-init user-data. */
      user_data?: string | null;
    };
    /** @description What a machine is made from. */
    CreateSource: {
      /** @description The catalogue. */
      template: {
        /** @description Template id. */
        id: string;
        /** @description Absolute path of the ISO, for a template that leaves it to the user. */
        medium?: string | null;
      };
    } | {
      /** @description An installer or live medium of the user's, read where it is. */
      iso: {
        /** @description Absolute path. */
        path: string;
      };
    } | {
      /** @description A disk image of the user's. */
      "disk-image": {
        /** @description What happens to the file. */
        action?: components["schemas"]["FileAction"];
        /** @description Absolute path. */
        path: string;
      };
    } | "blank";
    /** @description A disk as the API shows it. */
    Disk: {
      /** @description Controller. */
      bus?: components["schemas"]["DiskBus"];
      /** @description Cache mode. */
      cache?: components["schemas"]["DiskCache"];
      /**
       * Format: int64
       * @description Bytes the guest sees.
       */
      capacity: number;
      /** @description Space that the guest gives up is given back to this computer. */
      discard?: boolean;
      /** @description `qcow2`. */
      format: string;
      /** @description Id. */
      id: components["schemas"]["DiskId"];
      /** @description A thread of its own moves its bytes. */
      iothread?: boolean;
      /** @description The user's words for it. */
      label?: string | null;
      /** @description The user's own file at the bottom of its chain. */
      linked?: string | null;
      /** @description That file is not there any more. */
      linked_missing?: boolean;
      /**
       * Format: int32
       * @description Place among the machine's disks, from 1.
       */
      number?: number;
      /** @description Absolute path of the active image. */
      path: string;
      /** @description The guest may not write. */
      read_only: boolean;
      /**
       * Format: int64
       * @description Bytes on this computer's disk, of the active image.
       */
      used: number;
    };
    /** @description A new disk: empty with [`Self::size`], or from [`Self::file`]. */
    DiskAddRequest: {
      /** @description What happens to the file. */
      action?: components["schemas"]["FileAction"];
      bus?: null | components["schemas"]["DiskBus"];
      cache?: null | components["schemas"]["DiskCache"];
      /** @description Unset: true. */
      discard?: boolean | null;
      /** @description Absolute path of a disk image of the user's. */
      file?: string | null;
      /** @description Unset: false. */
      iothread?: boolean | null;
      /** @description The user's words for it. */
      label?: string | null;
      /** @description The guest may not write. */
      read_only?: boolean;
      /**
       * Format: int64
       * @description Bytes of an empty disk.
       */
      size?: number | null;
    };
    /** @description `POST …/attach`. */
    DiskAttachRequest: {
      /** @description Another machine (name or id); unset: its own. */
      to?: string | null;
    };
    /**
     * @description What the guest's controller for a disk is.
     * @enum {string}
     */
    DiskBus: "virtio" | "scsi" | "nvme" | "sata" | "usb";
    /**
     * @description What happens between the guest's write and this computer's disk (`cache.*` of QEMU's block layer).
     * @enum {string}
     */
    DiskCache: "writeback" | "none" | "writethrough" | "unsafe";
    /** @description Options to change; unset ones stay. */
    DiskChangeRequest: {
      bus?: null | components["schemas"]["DiskBus"];
      cache?: null | components["schemas"]["DiskCache"];
      /** @description Space that the guest gives up is given back to this computer. */
      discard?: boolean | null;
      /** @description A thread of its own moves its bytes. */
      iothread?: boolean | null;
      /** @description The user's words for it; empty takes them away. */
      label?: string | null;
      /**
       * Format: int32
       * @description Place among the disks, 1 boots.
       */
      position?: number | null;
      /** @description The guest may not write. */
      read_only?: boolean | null;
    };
    /** @description What changing a disk led to. */
    DiskChanged: {
      disk?: null | components["schemas"]["DiskDetails"];
      job?: null | components["schemas"]["Job"];
      /** @description Sentences that the user should read: what the guest has to do itself, what happens only at the next start. */
      notes: string[];
    };
    /** @description `POST …/check`. */
    DiskCheckRequest: {
      /** @description Mend what can be mended, on a copy first. */
      repair?: boolean;
    };
    /** @description What to do. */
    DiskCompactRequest: {
      /** @description Say what would be written anew and do nothing. */
      dry_run?: boolean;
    };
    /** @description A disk with where its bytes are, as in `nestbox disk list`. */
    DiskDetails: components["schemas"]["Disk"] & {
      /** @description The guest sees it. */
      attached: boolean;
      /** @description The chain, active image first. */
      chain: components["schemas"]["ChainImage"][];
      /**
       * Format: date-time
       * @description Since when it does not.
       */
      detached_at?: string | null;
      /**
       * Format: int64
       * @description Bytes of this machine's images below the active one.
       */
      in_snapshots: number;
      /** @description Sentences on what it can't do, or what is wrong with it. */
      notes?: string[];
      /**
       * Format: date-time
       * @description When the bin frees it.
       */
      purge_at?: string | null;
      /**
       * Format: date-time
       * @description In the bin since.
       */
      removed_at?: string | null;
      /**
       * Format: int64
       * @description Bytes of images elsewhere (the cache, another machine, the user's file).
       */
      shared: number;
    };
    /** @description A disk that differs. */
    DiskDifference: {
      /** @description Disk. */
      id: components["schemas"]["DiskId"];
      /**
       * Format: int64
       * @description At most so many bytes differ: those of the clusters written on the way from one to the other.
       */
      written: number;
    };
    /** @description A disk of a machine; also its QEMU node name (`disk-` + short id). */
    DiskId: string;
    /** @description `GET …/disks`. */
    DiskList: {
      /** @description Attached ones in the guest's order, then detached ones, then those in the bin. */
      disks: components["schemas"]["DiskDetails"][];
    };
    /** @description `DELETE …/disks/{d}`. */
    DiskRemoved: {
      /**
       * Format: int64
       * @description Bytes freed now.
       */
      freed: number;
      /** @description Sentences for the user. */
      notes: string[];
      /**
       * Format: date-time
       * @description When the bin frees it; `None` when it is gone already.
       */
      purge_at?: string | null;
      /** @description The disk as it was. */
      removed: components["schemas"]["DiskDetails"];
    };
    /** @description `POST …/resize`. */
    DiskResizeRequest: {
      /**
       * Format: int64
       * @description Bytes, more than it has.
       */
      size: number;
    };
    /** @description Where to connect for the live display. */
    DisplayAddress: {
      /** @description A WebSocket on 127.0.0.1 with a token that is good for one connection within a minute. */
      url: string;
    };
    /** @description Everything Doctor knows. */
    DoctorReport: {
      /** @description Accelerators, tested. */
      accelerators: components["schemas"]["AcceleratorReport"][];
      /** @description Findings. */
      checks: components["schemas"]["Check"][];
      /** @description This computer. */
      host: components["schemas"]["HostInfo"];
      /** @description Machines can run (emulated counts). */
      ok: boolean;
    };
    /** @description An error as clients see it. `code` is a stable kebab-case word listed in `docs/errors.md`. */
    Error: {
      /** @description Stable word to switch on. */
      code: string;
      /** @description Exact facts for experts: paths, tool output, numbers. Always an object. */
      details?: Record<string, unknown>;
      /** @description What to do next; empty when there is nothing sensible. */
      hint?: string;
      /** @description Class of failure. */
      kind: components["schemas"]["ErrorKind"];
      /** @description What happened and why, in one or two plain sentences. Starts with a capital, ends with a full stop. */
      message: string;
    };
    /** @description The wire form: `{"error": {…}}`. */
    ErrorBody: {
      /** @description The error. */
      error: components["schemas"]["Error"];
    };
    /**
     * @description What class of failure an error is; it decides the exit code and the HTTP status.
     * @enum {string}
     */
    ErrorKind: "failed" | "usage" | "not-found" | "conflict" | "unfit" | "unsafe" | "cancelled";
    /** @description One event. */
    Event: {
      /**
       * Format: date-time
       * @description When.
       */
      at: string;
      job?: null | components["schemas"]["Job"];
      /** @description What. */
      kind: components["schemas"]["EventKind"];
      machine?: null | components["schemas"]["MachineId"];
      machine_now?: null | components["schemas"]["Machine"];
      /** @description A sentence for the activity list, where a user would want one. */
      message?: string | null;
    };
    /**
     * @description What happened.
     * @enum {string}
     */
    EventKind: "machine.added" | "machine.changed" | "machine.state" | "machine.removed" | "trash.changed" | "snapshot.taken" | "snapshot.restored" | "snapshot.changed" | "snapshot.deleted" | "job.progress" | "config.changed" | "cache.changed" | "doctor.changed" | "events.lost";
    /** @description A file that an export writes. */
    ExportFile: {
      /**
       * Format: int64
       * @description Bytes at most, roughly.
       */
      estimate: number;
      /** @description There is such a file now. */
      exists: boolean;
      /** @description Absolute path. */
      path: string;
    };
    /**
     * @description What a machine or a disk can be written as.
     * @enum {string}
     */
    ExportFormat: "qcow2" | "raw" | "vmdk" | "vdi" | "vhdx" | "ova" | "utm";
    /** @description What an export would write. */
    ExportPlan: {
      /** @description Files in the order they are written. */
      files: components["schemas"]["ExportFile"][];
      /** @description Format it settled on. */
      format: components["schemas"]["ExportFormat"];
      /** @description What the format can't carry, in sentences. */
      notes: string[];
    };
    /** @description `POST …/export`. */
    ExportRequest: {
      /** @description Compress qcow2 clusters: smaller and slower to make. */
      compress?: boolean;
      /** @description One disk only (id or number); unset: all. */
      disk?: string | null;
      format?: null | components["schemas"]["ExportFormat"];
      /** @description Replace files that are there. */
      overwrite?: boolean;
      /** @description As it was in this snapshot (id or name); unset: the present. */
      snapshot?: string | null;
      /** @description Absolute path of the new file (`.utm`: folder). */
      to: string;
    };
    /** @description The job, or what a dry run would have done. */
    Exporting: components["schemas"]["Job"] | components["schemas"]["ExportPlan"];
    /**
     * @description What happens to the user's file.
     * @enum {string}
     */
    FileAction: "copy" | "move" | "link";
    /** @description A file or folder on a disk. */
    FileEntry: {
      /** @description What it is. */
      kind: components["schemas"]["FileKind"];
      /**
       * Format: date-time
       * @description When its content changed.
       */
      modified?: string | null;
      /** @description Name. Bytes that are no printable UTF-8 stand as `%` and two hexadecimal digits, and paths take them so. */
      name: string;
      /**
       * Format: int64
       * @description Bytes of a file; 0 for others.
       */
      size: number;
      /** @description Where a link points. */
      target?: string | null;
    };
    /**
     * @description What an entry is.
     * @enum {string}
     */
    FileKind: "file" | "folder" | "link" | "other";
    /** @description A file on this computer. */
    FilePath: {
      arch?: null | components["schemas"]["Arch"];
      /** @description Absolute path. */
      path: string;
    };
    /**
     * @description What starts the guest.
     * @enum {string}
     */
    Firmware: "uefi" | "bios";
    /** @description The account a cloud-init seed makes. */
    GuestUser: {
      /** @description A password was set (its hash is in the seed only). */
      has_password?: boolean;
      /** @description Login name. */
      name: string;
      /** @description File name of the machine's private key (OpenSSH) in the machine's folder. */
      private_key?: string | null;
    };
    /** @description This computer, for limits and defaults. */
    HostInfo: {
      /** @description QEMU's name for this processor's architecture. */
      arch: string;
      /**
       * Format: int32
       * @description Logical processors.
       */
      cpus: number;
      /**
       * Format: int64
       * @description Bytes free where the library is.
       */
      disk_free: number;
      /**
       * Format: int64
       * @description Bytes in all where the library is.
       */
      disk_total: number;
      /**
       * Format: int64
       * @description Bytes of memory.
       */
      memory: number;
      /**
       * Format: int64
       * @description Bytes of memory free for machines now.
       */
      memory_free: number;
      /** @description Operating system and version, in words. */
      system: string;
    };
    /** @description What this computer uses right now. */
    HostUsage: {
      /**
       * Format: double
       * @description Cores in use.
       */
      cpu: number;
      /**
       * Format: int32
       * @description Cores there are.
       */
      cpus: number;
      /**
       * Format: int64
       * @description Bytes free where the library is.
       */
      disk_free: number;
      /**
       * Format: int64
       * @description Bytes.
       */
      memory: number;
      /**
       * Format: int64
       * @description Bytes.
       */
      memory_free: number;
    };
    /**
     * @description Whose an image in a disk's chain is.
     * @enum {string}
     */
    ImageRole: "active" | "snapshot" | "cache" | "origin" | "linked" | "leftover";
    /** @description A disk of an import. */
    ImportDisk: {
      /** @description The controller it gets: the one it had, or one that its system knows. */
      bus?: components["schemas"]["DiskBus"];
      /**
       * Format: int64
       * @description Bytes the guest sees; 0 if that is known only after unpacking.
       */
      capacity: number;
      /** @description The format in words: `VMDK, compressed`. */
      description: string;
      /** @description File name, for people; never to be used as a path. */
      name: string;
      /** @description Partition table and partitions in words, where there are. */
      partitions: string[];
      /** @description Format. */
      recognised: components["schemas"]["Recognised"];
      /**
       * Format: int64
       * @description Bytes stored.
       */
      size: number;
    };
    /** @description One line of an import plan. */
    ImportItem: {
      /** @description Fate. */
      fate: components["schemas"]["ItemFate"];
      /** @description What: `All data, byte for byte`. */
      what: string;
      /** @description Why, where it is not kept. */
      why?: string | null;
    };
    /** @description A NIC of an import. */
    ImportNic: {
      /** @description Its cable was plugged in. */
      connected: boolean;
      /** @description How it was connected, in words: `NAT`, `bridged`. */
      connection: string;
      /** @description MAC address, `08:00:27:…`, if it was given and is good for a NIC. */
      mac?: string | null;
    };
    /** @description What an import would do. */
    ImportPlan: {
      /** @description Architecture, as guessed. */
      arch: components["schemas"]["Arch"];
      /** @description How the architecture was found: `EFI boot file`, `the volume's name`, `this computer's`. */
      arch_reason: string;
      /** @description The guest's clock is local time, not UTC. */
      clock_local?: boolean;
      /**
       * Format: int32
       * @description Virtual processors proposed.
       */
      cpus: number;
      /** @description The format in words: `qcow2 v3`, `ISO 9660, bootable (BIOS, UEFI)`. */
      description: string;
      /**
       * Format: int64
       * @description Capacity of the disk (for an ISO: of the new blank disk), bytes.
       */
      disk: number;
      /** @description The disks that are imported, the one that starts first. None for an ISO. */
      disks?: components["schemas"]["ImportDisk"][];
      /** @description Firmware, as guessed. */
      firmware: components["schemas"]["Firmware"];
      /** @description Two letters for the tile. */
      glyph: string;
      inside?: null | components["schemas"]["Recognised"];
      /** @description Line by line. */
      items: components["schemas"]["ImportItem"][];
      /** @description Absolute path of the medium (ISO) in the machine's CD drive, if it lies beside the bundle. */
      medium?: string | null;
      /**
       * Format: int64
       * @description Memory proposed, bytes.
       */
      memory: number;
      /** @description Suggested machine name. */
      name: string;
      /**
       * Format: int64
       * @description Bytes that copying needs.
       */
      needs: number;
      /** @description Controller of the new disk that a machine of an ISO gets: one that its system knows. */
      new_disk_bus?: components["schemas"]["DiskBus"];
      /** @description NICs of the machine, in order. */
      nics?: components["schemas"]["ImportNic"][];
      /** @description The machine's notes, as text. */
      notes?: string | null;
      /** @description Partition table and partitions in words, where there are. */
      partitions: string[];
      /** @description Absolute path of the file. */
      path: string;
      /** @description Port forwards from this computer to the guest that can be kept. */
      ports?: components["schemas"]["PortForward"][];
      /** @description Format found. */
      recognised: components["schemas"]["Recognised"];
      /** @description Folders of another computer that the machine shared. They are only told, never taken over. */
      shares?: components["schemas"]["ImportShare"][];
      /**
       * Format: int64
       * @description Bytes of the file itself.
       */
      size: number;
      /** @description Names of the snapshots that were found. Only the present is imported. */
      snapshots?: string[];
      /** @description Guest system in words, as guessed. */
      system?: string | null;
      /** @description Worth knowing, for people. */
      warnings: string[];
    };
    /** @description Import one file as a new machine. Unset values come from the plan. */
    ImportRequest: {
      /** @description What happens to the file. */
      action?: components["schemas"]["FileAction"];
      arch?: null | components["schemas"]["Arch"];
      /**
       * Format: int32
       * @description Virtual processors.
       */
      cpus?: number | null;
      /**
       * Format: int64
       * @description Bytes.
       */
      disk?: number | null;
      firmware?: null | components["schemas"]["Firmware"];
      /**
       * Format: int64
       * @description Bytes.
       */
      memory?: number | null;
      /** @description Name; must be free. */
      name?: string | null;
      /** @description Absolute path. */
      path: string;
      /** @description Start it when it is ready. */
      start?: boolean;
    };
    /** @description A folder that a machine shared with another computer. */
    ImportShare: {
      /** @description Its path on that computer, as text. */
      host_path: string;
      /** @description Its name in the guest. */
      name: string;
      /** @description The guest could not write. */
      read_only: boolean;
    };
    /**
     * @description What will be done with one property of the file.
     * @enum {string}
     */
    ItemFate: "kept" | "changed" | "dropped";
    /** @description One job. */
    Job: {
      /**
       * Format: int64
       * @description Bytes done and in all, of the current step, where it moves bytes.
       */
      bytes_done?: number | null;
      /**
       * Format: int64
       * @description See `bytes_done`.
       */
      bytes_total?: number | null;
      /**
       * Format: date-time
       * @description Made at.
       */
      created_at: string;
      error?: null | components["schemas"]["Error"];
      /**
       * Format: date-time
       * @description Ended at.
       */
      finished_at?: string | null;
      /** @description Id. */
      id: components["schemas"]["JobId"];
      /** @description Kind. */
      kind: components["schemas"]["JobKind"];
      machine?: null | components["schemas"]["MachineId"];
      /** @description What it does right now, one short sentence. */
      message: string;
      /** @description It can be paused and resumed (downloads). */
      pausable: boolean;
      /**
       * Format: double
       * @description 0 to 1, or `None` when it can't be known.
       */
      progress?: number | null;
      /**
       * Format: double
       * @description Bytes a second over the last seconds.
       */
      rate?: number | null;
      /** @description What it found or made, once it is done; the keys depend on its kind. */
      result?: Record<string, unknown> | null;
      /**
       * Format: double
       * @description Seconds left, once there are 2 s of data.
       */
      seconds_left?: number | null;
      /** @description State. */
      state: components["schemas"]["JobState"];
      /** @description Steps, in order, where it has several. */
      steps: components["schemas"]["Step"][];
      /** @description A title for people: `Create “web”`. */
      title: string;
    };
    /** @description A job. */
    JobId: string;
    /**
     * @description What a job does.
     * @enum {string}
     */
    JobKind: "create" | "import" | "snapshot-take" | "snapshot-restore" | "snapshot-delete" | "library-check" | "clone" | "tidy" | "disk-add" | "disk-move" | "disk-compact" | "disk-check" | "copy-out" | "convert" | "export" | "backup" | "restore-backup";
    /** @description A job that was started, and the machine it makes. */
    JobStarted: {
      /** @description The job. */
      job: components["schemas"]["Job"];
      /** @description The machine, in state `creating`. */
      machine: components["schemas"]["Machine"];
    };
    /**
     * @description Life of a job.
     * @enum {string}
     */
    JobState: "queued" | "running" | "paused" | "done" | "failed" | "cancelled";
    /** @description Jobs. */
    Jobs: {
      jobs: components["schemas"]["Job"][];
    };
    /** @description Key combinations, one after the other. */
    Keys: {
      /** @description `ctrl-alt-delete`, `ret`, `a`, … */
      keys: string[];
    };
    /** @description One thing that is wrong in the library. */
    LibraryProblem: {
      /** @description Stable word. */
      code: string;
      /** @description A sentence. */
      message: string;
      /** @description Where. */
      path?: string | null;
    };
    /** @description What `library check` found. */
    LibraryReport: {
      /** @description Nothing is wrong. */
      ok: boolean;
      /** @description What is. */
      problems: components["schemas"]["LibraryProblem"][];
      /**
       * Format: int32
       * @description Machines read from their folders, when it was rebuilt.
       */
      rebuilt?: number | null;
    };
    /**
     * @description Whether a NIC's cable is plugged in.
     * @enum {string}
     */
    LinkState: "up" | "down";
    /** @description A folder on a disk. */
    Listing: {
      /** @description Its entries, in the order of their names' bytes. */
      entries: components["schemas"]["FileEntry"][];
      /** @description There are more: ask with the last name as `after`. */
      more: boolean;
      /** @description Worth knowing: that the guest was not shut down cleanly, for example. */
      notes: string[];
      /** @description The folder, links in the request followed. */
      path: string;
      /**
       * Format: int32
       * @description The volume listed; 0 when the request named none and there are several.
       */
      volume: number;
      /** @description All volumes of the disk. */
      volumes: components["schemas"]["Volume"][];
    };
    /** @description The last part of a machine's logs. */
    Logs: {
      /** @description What the hypervisor said. */
      backend: string;
      /** @description What the guest wrote to its serial port. */
      serial: string;
    };
    /** @description One machine, as in `nestbox show M --json`. */
    Machine: {
      accelerator?: null | components["schemas"]["Accelerator"];
      /** @description Which accelerator the user wants (setting `accelerator`). */
      accelerator_choice?: components["schemas"]["AcceleratorChoice"];
      /** @description Why that accelerator. */
      accelerator_reason?: string | null;
      /** @description Guest architecture. */
      arch: components["schemas"]["Arch"];
      /** @description When Nestbox takes snapshots by itself (settings `snapshots.every`, `snapshots.before-start`, `snapshots.keep`). */
      auto_snapshots?: components["schemas"]["AutoSnapshots"];
      /** @description Setting `boot.order`; empty leaves it to the firmware. */
      boot_order?: string[];
      /** @description The guest's clock is local time (setting `clock`), not UTC. */
      clock_local?: boolean;
      /**
       * Format: int32
       * @description Virtual processors.
       */
      cpus: number;
      /**
       * Format: date-time
       * @description When it was made.
       */
      created_at: string;
      current_snapshot?: null | components["schemas"]["SnapshotId"];
      /** @description Disks. */
      disks: components["schemas"]["Disk"][];
      /** @description This run is disposable: what the guest writes is thrown away when it ends, unless it is kept after all. */
      disposable?: boolean;
      /** @description Firmware. */
      firmware: components["schemas"]["Firmware"];
      /** @description Absolute path of the machine's folder. */
      folder: string;
      /** @description Id. */
      id: components["schemas"]["MachineId"];
      job?: null | components["schemas"]["JobId"];
      medium?: null | components["schemas"]["Medium"];
      /**
       * Format: int64
       * @description Memory in bytes.
       */
      memory: number;
      /** @description Name. */
      name: string;
      /** @description Names of the linked clones whose disks stand on its images. */
      needed_by?: string[];
      /** @description NICs. */
      nics: components["schemas"]["Nic"][];
      /** @description Notes. */
      notes: string;
      origin?: null | components["schemas"]["CloneOrigin"];
      /**
       * Format: int32
       * @description Hypervisor process.
       */
      pid?: number | null;
      /** @description Port forwards. */
      ports: components["schemas"]["PortForward"][];
      /** @description Screen size the guest starts with: width, height in pixels. */
      resolution: [
        number,
        number
      ];
      /** @description Keys that `set` takes. */
      settable: string[];
      /** @description Shared folders (none yet). */
      shares: Record<string, unknown>[];
      /**
       * Format: int32
       * @description How many snapshots there are.
       */
      snapshots: number;
      /**
       * Format: date-time
       * @description Start of the running session.
       */
      started_at?: string | null;
      /** @description State. */
      state: components["schemas"]["MachineState"];
      /** @description Why it is in that state, when that is not obvious (it died, it can't start). */
      state_reason?: string | null;
      /**
       * Format: date-time
       * @description Since when its memory is on disk, when it is.
       */
      suspended_at?: string | null;
      /** @description Guest system in words. */
      system?: string | null;
      /** @description Tags. */
      tags: string[];
      /** @description Template it came from. */
      template?: string | null;
      user?: null | components["schemas"]["GuestUser"];
      /** @description How to reach the guest. */
      ways_in: components["schemas"]["WaysIn"];
    };
    /** @description A machine of the library. */
    MachineId: string;
    /** @description A snapshot and whose it is. */
    MachineSnapshot: {
      /** @description Machine. */
      machine: components["schemas"]["MachineId"];
      /** @description Its name. */
      machine_name: string;
      /** @description The snapshot. */
      snapshot: components["schemas"]["Snapshot"];
    };
    /**
     * @description Observed life of a machine.
     * @enum {string}
     */
    MachineState: "stopped" | "starting" | "running" | "paused" | "suspended" | "stopping" | "broken" | "creating";
    /** @description Machines. */
    Machines: {
      machines: components["schemas"]["Machine"][];
    };
    /** @description A medium as the API shows it. */
    Medium: {
      /** @description The file is not there any more. */
      missing: boolean;
      /** @description File name. */
      name: string;
      /** @description Absolute path. */
      path: string;
    };
    /** @description A new name. */
    NewName: {
      name: string;
    };
    /** @description A NIC as the API shows it. */
    Nic: {
      /** @description Guest's address, when known. */
      address?: string | null;
      /** @description Id. */
      id: components["schemas"]["NicId"];
      /** @description Cable. */
      link: components["schemas"]["LinkState"];
      /** @description MAC. */
      mac: string;
      /** @description Network. */
      network: string;
    };
    /** @description A NIC of a machine. */
    NicId: string;
    /** @description A forward from 127.0.0.1 on this computer to the guest. */
    PortForward: {
      /**
       * Format: int32
       * @description Port in the guest.
       */
      guest: number;
      /**
       * Format: int32
       * @description Port on this computer; 0 asks for a free one.
       */
      host: number;
      /** @description Transport. */
      protocol?: components["schemas"]["Protocol"];
    };
    /** @description Port forwards of a machine. */
    PortList: {
      /** @description Forwards. */
      ports: components["schemas"]["PortForward"][];
    };
    /**
     * @description Transport of a port forward.
     * @enum {string}
     */
    Protocol: "tcp" | "udp";
    /**
     * @description What a file was recognised as, by content.
     * @enum {string}
     */
    Recognised: "iso" | "qcow2" | "raw" | "vmdk" | "vdi" | "vhd" | "vhdx" | "ova" | "ovf" | "utm" | "vbox" | "vmx" | "quickemu" | "libvirt" | "gz" | "xz" | "zst" | "bz2" | "zip";
    /** @description `POST /v1/restore-backup`. */
    RestoreBackupRequest: {
      /** @description Absolute path of the backup. */
      file: string;
      /** @description Unset: the name it had, or the next free one like it. */
      name?: string | null;
    };
    /** @description Restore a snapshot. */
    RestoreRequest: {
      /** @description Throw the present away instead of keeping it as a snapshot. */
      discard?: boolean;
      /** @description `false`: only the disks, the memory stays where it is and the guest boots. Unset: memory where there is one. */
      memory?: boolean | null;
    };
    /** @description What a restore did. */
    Restored: {
      kept?: null | components["schemas"]["Snapshot"];
      /** @description The machine now. */
      machine: components["schemas"]["Machine"];
      /** @description What else changed, in sentences: the hardware, a medium that is not there any more. */
      notes?: string[];
    };
    /** @description A restore that began, or what a dry run found. */
    Restoring: components["schemas"]["BackupRestoreStarted"] | components["schemas"]["BackupInfo"];
    /** @description The service. */
    ServiceInfo: {
      /**
       * Format: int32
       * @description API version: 1.
       */
      api: number;
      /** @description Absolute path. */
      data_dir: string;
      /** @description Where it is offered to browsers, without the token. */
      listen?: string | null;
      /**
       * Format: int32
       * @description Process.
       */
      pid: number;
      /**
       * Format: date-time
       * @description When it started.
       */
      started_at: string;
      /** @description Program version. */
      version: string;
    };
    /** @description One setting. */
    Setting: {
      value: string;
    };
    /** @description A setting that differs. */
    SettingDifference: {
      /** @description Text; empty where it is not there. */
      after: string;
      /** @description Text; empty where it was not there. */
      before: string;
      /** @description Setting, as in `set`, or `disks`, `nics`, `ports`, `medium`. */
      key: string;
    };
    /** @description Every setting. */
    Settings: {
      config: {
        [key: string]: string;
      };
    };
    /** @description What cloud-init does at the first boot, beside making the account. */
    Setup: {
      /** @description Keyboard layout by its XKB name: `de`, `us`. */
      keyboard?: string | null;
      /** @description Locale: `de_DE.UTF-8`. */
      locale?: string | null;
      /** @description Packages to install, by the distribution's names. */
      packages?: string[];
      /** @description Commands to run as root when everything else is done, one shell line each. */
      run?: string[];
      /** @description Time zone: `Europe/Berlin`. */
      timezone?: string | null;
    };
    /** @description A snapshot as the API shows it (`snapshot list M --json`). */
    Snapshot: {
      /** @description Made by Nestbox (“Before restore”), not by the user. */
      automatic: boolean;
      /**
       * Format: date-time
       * @description When it was taken.
       */
      created_at: string;
      /** @description Shared by the snapshots of several machines that were cut at one instant. */
      group?: string | null;
      /** @description Id. */
      id: components["schemas"]["SnapshotId"];
      /** @description It stays until the user deletes it: no rule removes it. */
      keep?: boolean;
      /** @description Why it was taken. */
      kind?: components["schemas"]["SnapshotKind"];
      /** @description Medium that was in the drive: its path. */
      medium?: string | null;
      /** @description It holds the guest's memory: restoring goes on where it was. */
      memory: boolean;
      /** @description The memory file is compressed. */
      memory_packed?: boolean;
      /**
       * Format: int64
       * @description Bytes of `size` that are the memory file.
       */
      memory_size?: number;
      /** @description Name. */
      name: string;
      /** @description Names of the linked clones that stand on it. */
      needed_by?: string[];
      /** @description Notes. */
      notes: string;
      parent?: null | components["schemas"]["SnapshotId"];
      /** @description The guest stood still when it was taken. */
      paused?: boolean;
      /** @description Absolute path of the picture of the screen. */
      screenshot?: string | null;
      /**
       * Format: int64
       * @description Bytes on disk that only this snapshot holds: its images and its memory file.
       */
      size: number;
    };
    /** @description What to change. */
    SnapshotChange: {
      /** @description No rule removes it. */
      keep?: boolean | null;
      name?: string | null;
      notes?: string | null;
    };
    /** @description A snapshot of a machine. */
    SnapshotId: string;
    /**
     * @description Why a snapshot was taken.
     * @enum {string}
     */
    SnapshotKind: "user" | "before-restore" | "scheduled" | "before-start" | "for-clone";
    /** @description All snapshots of a machine. */
    SnapshotList: {
      current?: null | components["schemas"]["SnapshotId"];
      /**
       * Format: int32
       * @description Images in the longest chain of the present's disks, the active one and the base included.
       */
      depth?: number;
      /** @description Oldest first. */
      snapshots: components["schemas"]["Snapshot"][];
    };
    /** @description Take a snapshot. */
    SnapshotRequest: {
      /** @description No rule removes it. */
      keep?: boolean;
      /** @description Keep the guest's memory too; unset: yes if it runs or is paused. */
      memory?: boolean | null;
      /** @description Name; a good one is made when unset. */
      name?: string | null;
      /** @description Notes. */
      notes?: string;
    };
    /** @description A snapshot that was just taken. */
    SnapshotTaken: components["schemas"]["Snapshot"] & {
      /**
       * Format: double
       * @description How long the guest stood still, seconds.
       */
      paused_seconds: number;
    };
    /** @description What deleting snapshots did (or would do). */
    SnapshotsDeleted: {
      /** @description Snapshots that are gone. */
      deleted: components["schemas"]["Snapshot"][];
      /**
       * Format: int64
       * @description Bytes freed at once.
       */
      freed: number;
      job?: null | components["schemas"]["JobId"];
    };
    /**
     * @description What frees a [`SpaceItem`].
     * @enum {string}
     */
    SpaceAction: "drop-memory" | "delete-snapshot" | "tidy" | "discard-state" | "empty-trash" | "prune-cache";
    /** @description One thing that takes space. */
    SpaceItem: {
      action?: null | components["schemas"]["SpaceAction"];
      /**
       * Format: int64
       * @description Bytes on this computer's disk.
       */
      bytes: number;
      /**
       * Format: int64
       * @description Bytes that `action` would free.
       */
      freeable: number;
      /** @description What it is. */
      kind: components["schemas"]["SpaceKind"];
      machine?: null | components["schemas"]["MachineId"];
      /** @description Whose, by name. */
      machine_name?: string | null;
      /** @description A sentence: why it can't be freed, or what would be lost. */
      note?: string | null;
      snapshot?: null | components["schemas"]["SnapshotId"];
      /** @description For people. */
      title: string;
    };
    /**
     * @description Kinds of [`SpaceItem`].
     * @enum {string}
     */
    SpaceKind: "memory" | "snapshot" | "leftover" | "suspended" | "disk" | "trash" | "cache";
    /** @description What takes space, and what could be freed. */
    SpaceReport: {
      /**
       * Format: int64
       * @description Bytes free where the library is.
       */
      free: number;
      /** @description Largest first. */
      items: components["schemas"]["SpaceItem"][];
    };
    /** @description How to start. */
    Start: {
      accelerator?: null | components["schemas"]["Accelerator"];
      /** @description Throw away what the guest writes when it ends. */
      disposable?: boolean;
    };
    /** @description What everything uses right now. */
    Stats: {
      /** @description This computer. */
      host: components["schemas"]["HostUsage"];
      /** @description Running machines. */
      machines: components["schemas"]["Usage"][];
    };
    /** @description One step of a job. */
    Step: {
      /** @description A fact learnt in the step (`Signed by …`, key id), for people. */
      detail?: string | null;
      /** @description Stable word: `resolve`, `verify-signature`, `download`, `verify-image`, `disk`, `seed`, `start`, `copy`, … */
      id: string;
      /** @description State. */
      state: components["schemas"]["StepState"];
      /** @description For people. */
      title: string;
    };
    /**
     * @description State of a step.
     * @enum {string}
     */
    StepState: "waiting" | "running" | "done" | "skipped" | "failed";
    /** @description How to stop. */
    Stop: {
      /** @description End it at once, as pulling the plug does. */
      force?: boolean;
    };
    /** @description Snapshots of several machines that were cut at one instant. */
    TakenTogether: {
      /** @description Shared by the snapshots. */
      group: string;
      /**
       * Format: double
       * @description Longest time that a guest stood still, seconds.
       */
      paused_seconds: number;
      /** @description One for each machine. */
      snapshots: components["schemas"]["MachineSnapshot"][];
    };
    /** @description A catalogue entry. */
    Template: {
      /** @description What it comes as, for each architecture. */
      arches: {
        [key: string]: components["schemas"]["TemplateArch"];
      };
      /** @description What a new machine gets unless told otherwise. */
      defaults: components["schemas"]["TemplateDefaults"];
      disk_bus?: null | components["schemas"]["DiskBus"];
      /** @description Family; also the `<family>` of `mirror.<family>`: `ubuntu`, `debian`, `fedora`, `alpine`. */
      family: string;
      firmware?: null | components["schemas"]["Firmware"];
      /** @description Two letters for the tile. */
      glyph: string;
      /** @description Stable id: `ubuntu-24.04`, `ubuntu-24.04-desktop`. */
      id: string;
      /** @description For people: `Ubuntu 24.04 LTS`. */
      name: string;
      /** @description What one should know before choosing it, a sentence each. */
      notes?: string[];
      /** @description What the machine is set up with at its first boot. */
      setup?: components["schemas"]["Setup"];
      /** @description One sentence. */
      summary: string;
      /** @description Account of the image (`ubuntu`), for cloud images. */
      user?: string | null;
      /** @description `server`, `desktop`, `minimal`. */
      variant: string;
    };
    /** @description What one architecture of a template is made from. */
    TemplateArch: {
      /** @description The image is in the cache: nothing to download. */
      cached?: boolean;
      /** @description Kind. */
      kind: components["schemas"]["TemplateKind"];
      /** @description There is nothing to download: the user chooses an ISO of their own. */
      own_medium?: boolean;
      /**
       * Format: int64
       * @description Bytes to download, as known when the template was written.
       */
      size?: number | null;
      /** @description Where it comes from, mirror setting applied; empty when the user brings the medium. */
      url: string;
      /** @description How the download is verified. */
      verified_by: components["schemas"]["VerifiedBy"];
    };
    /** @description Defaults of a template. */
    TemplateDefaults: {
      /**
       * Format: int32
       * @description Virtual processors.
       */
      cpus: number;
      /**
       * Format: int64
       * @description Bytes.
       */
      disk: number;
      /**
       * Format: int64
       * @description Bytes.
       */
      memory: number;
    };
    /**
     * @description How a system is delivered.
     * @enum {string}
     */
    TemplateKind: "cloud-image" | "installer";
    /** @description The catalogue. */
    Templates: {
      templates: components["schemas"]["Template"][];
    };
    /** @description Text to type. */
    Text: {
      text: string;
    };
    /** @description Take snapshots of several machines at one instant: by name or id, by tag, by network. */
    TogetherRequest: {
      /** @description No rule removes them. */
      keep?: boolean;
      /** @description Names or ids. */
      machines?: string[];
      /** @description Keep the memory of those that run too; unset: yes. */
      memory?: boolean | null;
      /** @description Name of each snapshot; a good one is made when unset. */
      name?: string | null;
      /** @description All machines with a NIC on this network. */
      network?: string | null;
      /** @description Notes of each. */
      notes?: string;
      /** @description All machines with this tag. */
      tag?: string | null;
    };
    /** @description The trash. */
    Trash: {
      entries: components["schemas"]["TrashEntry"][];
    };
    /** @description What emptying the trash did (or would do). */
    TrashEmptied: {
      /** @description Disks of other machines that were in the bin. */
      disks?: components["schemas"]["BinnedDisk"][];
      /**
       * Format: int64
       * @description Bytes freed.
       */
      freed: number;
      /** @description Machines that are gone for good. */
      removed: components["schemas"]["TrashEntry"][];
    };
    /** @description A deleted machine. */
    TrashEntry: {
      /**
       * Format: date-time
       * @description When it was deleted.
       */
      deleted_at: string;
      /** @description Absolute path. */
      folder: string;
      /** @description Its id. */
      id: components["schemas"]["MachineId"];
      /** @description Its name. */
      name: string;
      /**
       * Format: int64
       * @description Bytes on disk.
       */
      size: number;
    };
    /** @description What a machine uses right now. Rates are averages since the sample before, at most 2 s old. */
    Usage: {
      /**
       * Format: double
       * @description Host processor cores in use (1.0 = one core).
       */
      cpu: number;
      /**
       * Format: double
       * @description Bytes a second.
       */
      disk_read_bps: number;
      /**
       * Format: double
       * @description Bytes a second.
       */
      disk_write_bps: number;
      /** @description Machine. */
      id: string;
      /**
       * Format: int64
       * @description Resident bytes of the hypervisor process.
       */
      memory_resident: number;
      /**
       * Format: double
       * @description Bytes a second; `None` where the backend can't tell.
       */
      net_rx_bps?: number | null;
      /**
       * Format: double
       * @description Bytes a second.
       */
      net_tx_bps?: number | null;
    };
    /**
     * @description The strongest check there is for a download.
     * @enum {string}
     */
    VerifiedBy: "gpg" | "checksum" | "none";
    /** @description A volume of a disk: a partition, or the whole disk where it has no partition table. */
    Volume: {
      /** @description Its files can be listed and copied. */
      browsable: boolean;
      /** @description `ext2`, `ext3`, `ext4`, `fat`, `exfat`, `ntfs`, `iso9660`, or another word (`btrfs`, `luks`, `lvm`, `swap`, …). */
      filesystem?: string | null;
      /** @description The file system's own name. */
      label?: string | null;
      /** @description The partition's name, where the table has names. */
      name?: string | null;
      /**
       * Format: int32
       * @description Number of the partition, from 1.
       */
      number: number;
      /** @description Why not, and what can be done instead. */
      reason?: string | null;
      /**
       * Format: int64
       * @description Bytes.
       */
      size: number;
      /**
       * Format: int64
       * @description Bytes in use, where that is cheap to know.
       */
      used?: number | null;
    };
    /** @description How to reach a running guest. */
    WaysIn: {
      /** @description A complete `ssh …` command, when port 22 is forwarded and the account is known. */
      ssh_command?: string | null;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
