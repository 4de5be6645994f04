/** The screens that are pictured and checked for accessibility, each with the way to it. */
const tree = (page) => page.getByRole("tree", { name: "Machines" });
const select = (name) => async (page) => {
  await tree(page).getByRole("treeitem", { name, exact: true }).click();
  await page.getByRole("main", { name, exact: true }).waitFor();
};
const ubuntu = select("Ubuntu Desktop");
const more = async (page, item) => {
  await page.getByRole("button", { name: "More actions", exact: true }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};
/** Opens the snapshots pane, where it is not open, and a snapshot of “Web server”. */
const snapshotOf = async (page, machine, name) => {
  await select(machine)(page);
  const pane = page.getByRole("complementary", { name: "Snapshots" });
  if (!(await pane.isVisible())) await page.getByRole("button", { name: "Snapshots", exact: true }).click();
  await pane.getByRole("treeitem", { name, exact: true }).click();
};
const snapshotMenu = async (page, machine, name) => {
  await snapshotOf(page, machine, name);
  await page.getByRole("button", { name: `More actions for ${name}` }).click();
  await page.getByRole("menuitemcheckbox", { name: "Keep" }).waitFor();
};
/** Selects a snapshot; in narrow windows the pane must be opened first. */
const toolchain = async (page) => {
  await ubuntu(page);
  const pane = page.getByRole("complementary", { name: "Snapshots" });
  if (!(await pane.isVisible())) await page.getByRole("button", { name: "Snapshots", exact: true }).click();
  await page.getByRole("treeitem", { name: "Toolchain ready" }).click();
};

/** The disks of a machine. */
const disks = (name) => async (page) => {
  await select(name)(page);
  await more(page, "Disks…");
  await page.getByRole("main", { name: `Disks of ${name}` }).getByRole("button", { name: "Browse Disk 1" }).waitFor();
};
const files = async (page) => {
  await disks("Fedora Workstation")(page);
  await page.getByRole("button", { name: "Browse Disk 1" }).click();
  await page.getByRole("grid", { name: "Files" }).getByRole("row", { name: "etc" }).waitFor();
};
/** Opens Import with files, by their paths. */
const importOf = (...paths) => async (page) => {
  await ubuntu(page);
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Command" }).fill("import");
  await page.keyboard.press("Enter");
  for (const path of paths) {
    await page.getByRole("textbox", { name: "Path on the computer of the service" }).fill(path);
    await page.getByRole("button", { name: "Add", exact: true }).click();
    await page.getByRole("option", { name: path.split("/").pop(), exact: true }).click();
  }
};

/** `few`: checked for accessibility in one size each theme; what they are made of is checked elsewhere, too. */
export const SCREENS = [
  { name: "disks", few: true, ready: disks("Fedora Workstation") },
  {
    name: "disks-options",
    few: true,
    ready: async (page) => {
      await disks("Ubuntu Desktop")(page);
      await page.getByRole("button", { name: "Options of Disk 1" }).click();
      await page.getByRole("switch", { name: "Own thread" }).scrollIntoViewIfNeeded();
    },
  },
  {
    name: "disks-damaged",
    few: true,
    ready: async (page) => {
      await disks("Fedora Workstation")(page);
      await page.getByRole("button", { name: "More actions for Old home" }).click();
      await page.getByRole("menuitem", { name: "Check" }).click();
      await page.getByRole("button", { name: "Repair" }).waitFor();
      await page.getByRole("button", { name: "More actions for Old home" }).click();
      await page.getByRole("menuitem", { name: "Compact" }).waitFor();
    },
  },
  {
    name: "add-disk",
    few: true,
    ready: async (page) => {
      await disks("Fedora Workstation")(page);
      await page.getByRole("button", { name: "Add disk" }).click();
      await page.getByRole("radio", { name: "From a disk image" }).click();
      await page.getByRole("textbox", { name: "Disk image" }).fill("/home/builder/debian.raw.xz");
      await page.getByRole("radio", { name: "Copy" }).waitFor();
    },
  },
  {
    name: "grow-disk",
    few: true,
    ready: async (page) => {
      await disks("Fedora Workstation")(page);
      await page.getByRole("button", { name: "Grow Disk 1" }).click();
      await page.getByRole("dialog", { name: "Grow Disk 1" }).waitFor();
    },
  },
  { name: "files", few: true, ready: files },
  {
    name: "files-running",
    few: true,
    ready: async (page) => {
      await disks("Ubuntu Desktop")(page);
      await page.getByRole("button", { name: "Browse Disk 1" }).click();
      await page.getByRole("button", { name: "Take a snapshot and browse it" }).waitFor();
    },
  },
  {
    name: "files-copied",
    few: true,
    ready: async (page) => {
      await files(page);
      await page.getByRole("row", { name: "etc", exact: true }).dblclick();
      await page.getByRole("row", { name: "fstab" }).click();
      await page.getByRole("button", { name: "Copy to…" }).click();
      await page.getByRole("textbox", { name: "Into folder" }).fill("/home/builder/out");
      await page.getByRole("button", { name: "Copy", exact: true }).click();
      await page.getByText("1 left out").click();
    },
  },
  {
    name: "export",
    few: true,
    ready: async (page) => {
      await ubuntu(page);
      await more(page, "Export…");
      await page.getByRole("textbox", { name: "Save as" }).fill("/home/builder/there.ova");
      await page.getByText("there already").waitFor();
    },
  },
  {
    name: "export-replace",
    few: true,
    ready: async (page) => {
      await ubuntu(page);
      await more(page, "Export…");
      await page.getByRole("textbox", { name: "Save as" }).fill("/home/builder/there.ova");
      await page.getByText("there already").waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Export…" }).click();
      await page.getByRole("alertdialog", { name: "Replace there.ova?" }).waitFor();
    },
  },
  {
    name: "backup",
    few: true,
    ready: async (page) => {
      await ubuntu(page);
      await more(page, "Back up…");
      await page.getByRole("textbox", { name: "Save as" }).fill("/home/builder/desktop.nestbox-backup");
    },
  },
  {
    name: "restore-backup",
    few: true,
    ready: async (page) => {
      await ubuntu(page);
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Command" }).fill("restore backup");
      await page.keyboard.press("Enter");
      await page.getByRole("textbox", { name: "Backup file" }).fill("/home/builder/mail.nestbox-backup");
      await page.getByRole("textbox", { name: "Name" }).waitFor();
    },
  },
  {
    name: "import",
    few: true,
    ready: async (page) => {
      await importOf("/home/builder/alpine.iso", "/home/builder/notes.txt", "/home/builder/mail.nestbox-backup", "/home/builder/lab.vbox")(page);
      await page.getByRole("list", { name: "Left out" }).waitFor();
    },
  },
  { name: "import-refused", few: true, ready: importOf("/home/builder/trap.vmdk") },
  { name: "import-packed", few: true, ready: importOf("/home/builder/debian.raw.xz") },
  {
    name: "missing-file",
    few: true,
    ready: select("Fedora Workstation"),
  },
  { name: "empty", scenario: "empty", ready: (page) => page.getByRole("main", { name: "Welcome" }).waitFor() },
  { name: "empty-noaccel", scenario: "empty-noaccel", ready: (page) => page.getByRole("main", { name: "Welcome" }).waitFor() },
  { name: "library", ready: ubuntu, settle: 3_000 },
  { name: "library-stopped", ready: select("Fedora Workstation") },
  { name: "library-broken", ready: select("Rocky build agent") },
  { name: "library-paused", ready: select("Debian testing") },
  { name: "library-emulated", ready: select("Ubuntu arm64"), settle: 2_500 },
  {
    name: "snapshots",
    ready: toolchain,
    settle: 2_000,
  },
  {
    name: "restored",
    ready: async (page) => {
      await toolchain(page);
      await page.getByRole("button", { name: "Restore", exact: true }).click();
      await page.getByRole("treeitem", { name: "Before restore" }).first().waitFor();
    },
    settle: 2_000,
  },
  { name: "timeline", scenario: "timeline", ready: (page) => snapshotOf(page, "Web server", "Release 2.1"), settle: 1_500 },
  { name: "snapshot-menu", scenario: "timeline", ready: (page) => snapshotMenu(page, "Web server", "Release 2.1"), settle: 1_000 },
  { name: "snapshots-many", scenario: "many-snapshots", ready: (page) => snapshotOf(page, "Ubuntu Desktop", "Point 999"), settle: 1_500 },
  {
    name: "subtree",
    scenario: "timeline",
    ready: async (page) => {
      await snapshotMenu(page, "Web server", "Friday 18:00 · 96 MB written");
      await page.getByRole("menuitem", { name: "Delete subtree" }).click();
      await page.getByRole("alertdialog", { name: "Delete subtree" }).waitFor();
    },
  },
  {
    name: "snapshot-notes",
    scenario: "timeline",
    ready: async (page) => {
      await snapshotMenu(page, "Web server", "Installed");
      await page.getByRole("menuitem", { name: "Edit notes…" }).click();
      await page.getByRole("dialog", { name: "Notes of Installed" }).waitFor();
    },
  },
  {
    name: "compare",
    ready: async (page) => {
      await snapshotMenu(page, "Ubuntu Desktop", "Toolchain ready");
      await page.getByRole("menuitem", { name: "Compare…" }).click();
      await page.getByRole("dialog", { name: "Compare snapshots" }).getByRole("table", { name: "Disks" }).waitFor();
    },
  },
  {
    name: "clone",
    ready: async (page) => {
      await toolchain(page);
      await page.getByRole("toolbar").getByRole("button", { name: "Clone", exact: true }).click();
      await page.getByRole("dialog", { name: "Clone Ubuntu Desktop" }).waitFor();
    },
  },
  {
    name: "memory-unfit",
    scenario: "timeline",
    ready: async (page) => {
      await snapshotOf(page, "Web server", "Friday 18:00 · 96 MB written");
      await page.getByRole("toolbar").getByRole("button", { name: "Restore", exact: true }).click();
      await page.getByRole("main").getByRole("button", { name: "Restore the disks only" }).waitFor();
    },
  },
  { name: "suspended", ready: select("FreeBSD build") },
  {
    name: "discard-state",
    ready: async (page) => {
      await select("FreeBSD build")(page);
      await more(page, "Discard saved state");
      await page.getByRole("alertdialog").waitFor();
    },
  },
  {
    name: "edit-suspended",
    ready: async (page) => {
      await select("FreeBSD build")(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("main", { name: "Edit FreeBSD build" }).waitFor();
    },
  },
  {
    name: "edit-snapshots",
    ready: async (page) => {
      await select("Web server")(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("tab", { name: "Snapshots" }).click();
    },
  },
  {
    name: "start-menu",
    ready: async (page) => {
      await select("Fedora Workstation")(page);
      await page.getByRole("button", { name: "Start options" }).click();
      await page.getByRole("menuitem", { name: "Start and forget changes" }).waitFor();
    },
  },
  { name: "disposable", scenario: "timeline", ready: select("Web server staging"), settle: 1_500 },
  {
    name: "together",
    ready: async (page) => {
      await ubuntu(page);
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Command" }).fill("snapshot all running");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog", { name: "Take snapshot of machines" }).waitFor();
    },
  },
  { name: "space", path: "/space", ready: (page) => page.getByRole("table", { name: "Ubuntu Desktop" }).waitFor() },
  { name: "space-empty", scenario: "empty", path: "/space", ready: (page) => page.getByText("Nothing takes space.").waitFor() },
  {
    name: "space-confirm",
    path: "/space",
    ready: async (page) => {
      await page.getByRole("table", { name: "Web server", exact: true }).getByRole("button", { name: "Drop memory: Memory of “Release 2.1”" }).click();
      await page.getByRole("alertdialog").waitFor();
    },
  },
  {
    name: "palette",
    ready: async (page) => {
      await ubuntu(page);
      await page.waitForTimeout(1_500);
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Command" }).fill("sna");
    },
  },
  {
    name: "edit",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("main", { name: "Edit Ubuntu Desktop" }).waitFor();
    },
  },
  {
    name: "edit-memory",
    ready: async (page) => {
      await select("Fedora Workstation")(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("tab", { name: "Memory" }).click();
    },
  },
  {
    name: "edit-ports",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("tab", { name: "Network" }).click();
    },
  },
  {
    name: "edit-general",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("tab", { name: "General" }).click();
    },
  },
  {
    name: "edit-startup",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Edit machine" }).click();
      await page.getByRole("tab", { name: "Start-up" }).click();
    },
  },
  {
    name: "shortcuts",
    ready: async (page) => {
      await ubuntu(page);
      await page.keyboard.press("Control+/");
      await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
    },
  },
  {
    name: "tags",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "More actions" }).click();
      await page.getByRole("menuitem", { name: "Edit tags" }).click();
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "stop-menu",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Stop options" }).click();
      await page.getByRole("menuitem", { name: "Force off" }).waitFor();
    },
  },
  {
    name: "force-off",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "Stop options" }).click();
      await page.getByRole("menuitem", { name: "Force off" }).click();
      await page.getByRole("alertdialog").waitFor();
    },
  },
  {
    name: "newvm",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "New VM" }).click();
      await page.getByRole("dialog", { name: "New VM" }).getByRole("radio", { name: "Ubuntu arm64" }).first().waitFor();
    },
  },
  {
    name: "newvm-config",
    ready: async (page) => {
      await ubuntu(page);
      await page.getByRole("button", { name: "New VM" }).click();
      const dialog = page.getByRole("dialog", { name: "New VM" });
      await dialog.getByRole("radio", { name: "Ubuntu arm64" }).first().click();
      await dialog.getByRole("button", { name: "Continue" }).click();
      await dialog.getByRole("textbox", { name: "Name" }).waitFor();
    },
  },
  { name: "creating", scenario: "creating", ready: select("Ubuntu arm64 2") },
  {
    name: "take-snapshot",
    ready: async (page) => {
      await ubuntu(page);
      await page.keyboard.press("Control+k");
      await page.getByRole("combobox", { name: "Command" }).fill("named");
      await page.keyboard.press("Enter");
      await page.getByRole("dialog", { name: "Take snapshot" }).waitFor();
    },
  },
  ...["activity", "doctor", "settings", "trash"].map((name) => ({
    name,
    scenario: name === "activity" ? "creating" : "library",
    path: `/${name}`,
    ready: (page) => page.getByRole("main").getByRole("heading", { level: 1 }).waitFor(),
  })),
];
