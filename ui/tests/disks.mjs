/** Disks, files on them, export, backup and import by role and accessible name alone. */
import assert from "node:assert/strict";
import { flowsOf, openMachine as open } from "./flow.mjs";

const api = (page, path) => page.evaluate(async (wanted) => (await fetch(`/v1${wanted}`)).json(), path);
const disksOf = async (page, machine) => (await api(page, `/machines/${encodeURIComponent(machine)}/disks`)).disks;
/** Waits, with an end, until a read of the library says so. */
const until = async (page, what, read) => {
  for (let tries = 0; tries < 80; tries += 1) {
    if (await read()) return;
    await page.waitForTimeout(50);
  }
  assert.fail(what);
};
const more = async (page, item) => {
  await page.getByRole("button", { name: "More actions", exact: true }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};
const openDisks = async (page, machine) => {
  await open(page, machine);
  await more(page, "Disks…");
  const main = page.getByRole("main", { name: `Disks of ${machine}` });
  await main.getByRole("button", { name: "Browse Disk 1" }).waitFor();
  return main;
};
const menuOf = async (page, disk, item) => {
  await page.getByRole("button", { name: `More actions for ${disk}` }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};
const PHOTOS = "Photos and everything else that came off the old laptop before it was given away";
const focusedName = (page) => page.evaluate(() => document.activeElement?.getAttribute("aria-label"));

export async function run(bench) {
  const flow = flowsOf(bench);

  await flow("disks: add, detach, attach, remove, restore, undo", async (page) => {
    const main = await openDisks(page, "OpenBSD edge");
    const list = main.getByRole("list", { name: "Disks", exact: true });
    await main.getByRole("button", { name: "Add disk" }).click();
    const sheet = page.getByRole("dialog", { name: "Add a disk to OpenBSD edge" });
    await sheet.getByRole("slider", { name: "Size" }).fill("40");
    await sheet.getByRole("textbox", { name: "Label" }).fill("Mail");
    await sheet.getByRole("button", { name: "Add disk" }).click();
    await list.getByRole("listitem", { name: "Mail" }).waitFor();
    assert.equal((await disksOf(page, "OpenBSD edge"))[1].capacity, 40 * 1024 ** 3);
    await menuOf(page, "Mail", "Detach");
    await main.getByRole("list", { name: "Detached" }).getByRole("listitem", { name: "Mail" }).waitFor();
    await main.getByRole("button", { name: "Attach Mail" }).click();
    await list.getByRole("listitem", { name: "Mail" }).waitFor();
    await menuOf(page, "Mail", "Remove");
    const bin = main.getByRole("list", { name: "In the bin" });
    await bin.getByRole("listitem", { name: "Mail" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.dataset.pane), "main");
    await page.getByRole("status").getByText("Mail is in the bin").waitFor();
    await page.keyboard.press("Control+z");
    await list.getByRole("listitem", { name: "Mail" }).waitFor();
    await menuOf(page, "Mail", "Remove");
    await bin.getByRole("button", { name: "Restore Mail" }).click();
    await list.getByRole("listitem", { name: "Mail" }).waitFor();
  });

  await flow("disks: order by keys, options, grow with what the guest has to do", async (page) => {
    const main = await openDisks(page, "Fedora Workstation");
    const first = async () => (await disksOf(page, "Fedora Workstation"))[0].label;
    await main.getByRole("button", { name: `Browse ${PHOTOS}` }).focus();
    await page.keyboard.press("Alt+ArrowUp");
    await until(page, "moved up", async () => (await first()) === PHOTOS);
    await main.getByRole("button", { name: `Options of ${PHOTOS}` }).click();
    const options = main.getByRole("group", { name: `Options of ${PHOTOS}` });
    await options.getByRole("switch", { name: "Own thread" }).click();
    await until(page, "own thread", async () => (await disksOf(page, "Fedora Workstation"))[0].iothread);
    await options.getByRole("combobox", { name: "Connected by" }).click();
    await page.getByRole("option", { name: "NVMe" }).click();
    await until(page, "nvme", async () => (await disksOf(page, "Fedora Workstation"))[0].bus === "nvme");
    await options.getByRole("textbox", { name: "Label" }).fill("Photos");
    await options.getByRole("button", { name: "Save label" }).click();
    await main.getByRole("button", { name: "Grow Photos" }).click();
    const grow = page.getByRole("dialog", { name: "Grow Photos" });
    await grow.getByRole("slider", { name: "New size" }).press("Home");
    await grow.getByRole("button", { name: "Grow", exact: true }).click();
    await grow.getByText("growpart /dev/vda 1").waitFor();
    await grow.getByRole("button", { name: "Done" }).click();
    assert.equal((await disksOf(page, "Fedora Workstation"))[0].capacity, 201 * 1024 ** 3);
  });

  await flow("disks: compact and check say what came of it; damage is repaired", async (page) => {
    await openDisks(page, "Fedora Workstation");
    await menuOf(page, "Disk 1", "Compact");
    await page.getByText("1.2 GB freed.").waitFor();
    await menuOf(page, "Old home", "Check");
    await page.getByText("3 damaged places found.").waitFor();
    await page.getByRole("button", { name: "Repair" }).click();
    await page.getByText("The disk as it was is in the bin.").waitFor();
    await page.getByRole("link", { name: "Activity" }).click();
    await page.getByRole("main", { name: "Activity" }).getByText("Compact Disk 1 of “Fedora Workstation”").waitFor();
  });

  await flow("disks: while running, what can't be says why; a guest that holds a disk is told on its card", async (page) => {
    const main = await openDisks(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "More actions for Disk 1" }).click();
    const compact = page.getByRole("menuitem", { name: "Compact" });
    assert.equal(await compact.getAttribute("aria-disabled"), "true");
    await compact.getByText("Not while the machine runs").waitFor();
    await page.getByRole("menuitem", { name: "Detach" }).click();
    await main.getByRole("alert").getByText("The guest did not let go of the disk.").waitFor();
  });

  await flow("disks: to another machine", async (page) => {
    await openDisks(page, "Fedora Workstation");
    await menuOf(page, "Old home", "Move to another machine…");
    const sheet = page.getByRole("dialog", { name: "Move Old home" });
    await sheet.getByRole("combobox", { name: "To machine" }).click();
    await page.getByRole("option", { name: "OpenBSD edge" }).click();
    await sheet.getByRole("button", { name: "Move", exact: true }).click();
    await until(page, "moved", async () => (await disksOf(page, "OpenBSD edge")).some((one) => one.label === "Old home"));
  });

  await flow("files: keys go through folders, letters find, 10,000 entries are fluent, copies tell what was left out", async (page) => {
    await openDisks(page, "Fedora Workstation");
    await page.getByRole("button", { name: "Browse Disk 1" }).click();
    const grid = page.getByRole("grid", { name: "Files" });
    await grid.getByRole("row", { name: "boot" }).focus();
    await page.keyboard.type("lo");
    assert.equal(await focusedName(page), "lots");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "file-00000.log");
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label")?.startsWith("file-"));
    // The rest comes as the end is seen.
    await until(page, "all pages", async () => {
      await page.keyboard.press("End");
      return (await grid.getAttribute("aria-rowcount")) === "10001";
    });
    assert.ok((await grid.getByRole("row").count()) < 80, "only rows in view exist");
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "file-09999.log");
    await page.keyboard.press("Backspace");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "lots");
    await page.keyboard.type("etc");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "apt");
    await page.keyboard.press("Space");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Space");
    await page.getByText("2 of 16 selected").waitFor();
    await page.getByRole("navigation", { name: "Path" }).getByText("etc").waitFor();
    await page.getByRole("button", { name: "Copy to…" }).click();
    const sheet = page.getByRole("dialog", { name: "Copy 2 items out" });
    await sheet.getByRole("textbox", { name: "Into folder" }).fill("/home/builder/full");
    await sheet.getByRole("button", { name: "Copy", exact: true }).click();
    await page.getByRole("alertdialog", { name: "Replace 2 files?" }).getByRole("button", { name: "Replace 2 files" }).click();
    await page.getByText("12 files copied").waitFor();
    await page.getByText("1 left out").click();
    await page.getByText("It is a link.").waitFor();
    const volumes = page.getByRole("radiogroup", { name: "Volumes" });
    assert.match(await volumes.getByRole("radio", { name: "crypt" }).getAttribute("aria-description"), /encrypted/);
    await volumes.getByRole("radio", { name: "EFI system partition" }).click();
    await grid.getByRole("row", { name: "EFI" }).waitFor();
  });

  await flow("files: of a running machine, by a snapshot that is taken for it", async (page) => {
    await openDisks(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "Browse Disk 1" }).click();
    await page.getByRole("button", { name: "Take a snapshot and browse it" }).click();
    await page.getByRole("grid", { name: "Files" }).getByRole("row", { name: "etc" }).waitFor();
  });

  await flow("export: a plan before, replacing asks, the result is in Activity", async (page) => {
    await open(page, "Ubuntu Desktop");
    await more(page, "Export…");
    const sheet = page.getByRole("dialog", { name: "Export Ubuntu Desktop" });
    await sheet.getByRole("textbox", { name: "Save as" }).fill("machine.ova");
    await sheet.getByText("Write the whole path").waitFor();
    await sheet.getByRole("textbox", { name: "Save as" }).fill("/home/builder/there.ova");
    await sheet.getByRole("region", { name: "What will be written" }).getByText("there already").waitFor();
    await sheet.getByText("snapshots stay here").waitFor();
    await sheet.getByRole("radio", { name: "VMDK" }).click();
    assert.equal(await sheet.getByRole("textbox", { name: "Save as" }).inputValue(), "/home/builder/there.vmdk");
    await sheet.getByText("there already").waitFor();
    await sheet.getByRole("button", { name: "Export…" }).click();
    const ask = page.getByRole("alertdialog", { name: "Replace there.vmdk?" });
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
    await ask.getByRole("button", { name: "Replace there.vmdk" }).click();
    await page.getByRole("link", { name: "Activity" }).click();
    await page.getByRole("main", { name: "Activity" }).getByText("/home/builder/there.vmdk").waitFor();
    await page.getByRole("button", { name: "Copy path" }).waitFor();
  });

  await flow("backup and restore: what is in it is said before", async (page) => {
    await open(page, "Ubuntu Desktop");
    await more(page, "Back up…");
    const sheet = page.getByRole("dialog", { name: "Back up Ubuntu Desktop" });
    await sheet.getByText("SSH key").waitFor();
    await sheet.getByRole("switch", { name: "With saved memory" }).click();
    await sheet.getByRole("textbox", { name: "Save as" }).fill("/home/builder/desktop.nestbox-backup");
    await sheet.getByRole("button", { name: "Back up", exact: true }).click();
    await sheet.waitFor({ state: "detached" });
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Command" }).fill("restore backup");
    await page.keyboard.press("Enter");
    const restore = page.getByRole("dialog", { name: "Restore backup" });
    await restore.getByRole("textbox", { name: "Backup file" }).fill("/home/builder/other.txt");
    await restore.getByText("This is not a backup of Nestbox.").waitFor();
    await restore.getByRole("textbox", { name: "Backup file" }).fill("/home/builder/mail.nestbox-backup");
    await restore.getByText("2 disks, 4 snapshots").waitFor();
    await restore.getByRole("button", { name: "Restore", exact: true }).click();
    await page.getByRole("main", { name: "Mail server" }).waitFor();
  });

  await flow("import: every item's fate, what can't be done says why, a refusal in plain words, a backup is restored", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Command" }).fill("import");
    await page.keyboard.press("Enter");
    const add = async (path) => {
      await page.getByRole("textbox", { name: "Path on the computer of the service" }).fill(path);
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByRole("listbox", { name: "Items" }).getByRole("option", { name: path.split("/").pop() }).click();
    };
    await add("/home/builder/lab.vbox");
    for (const [name, line] of [["Kept", "2 disks, in their order"], ["Changed", "Bridged network"], ["Left out", "3 snapshots"]]) {
      await page.getByRole("list", { name, exact: true }).getByText(line).waitFor();
    }
    await page.getByRole("list", { name: "Disks and network" }).getByText("08:00:27:3e:11:a0").waitFor();
    assert.match(await page.getByRole("radio", { name: "Use where it is" }).getAttribute("aria-description"), /more than one disk/);
    await add("/home/builder/debian.raw.xz");
    for (const name of ["Move", "Use where it is"]) {
      assert.match(await page.getByRole("radio", { name }).getAttribute("aria-description"), /compressed/);
    }
    await add("/home/builder/trap.vmdk");
    await page.getByRole("article", { name: "trap.vmdk can’t be imported" }).getByText("Such files are never read.").waitFor();
    await page.getByRole("button", { name: "Leave out trap.vmdk" }).click();
    await add("/home/builder/mail.nestbox-backup");
    await page.getByText("It becomes a new machine with its snapshots.").waitFor();
    await add("/home/builder/notes.dat");
    await page.getByRole("article", { name: "notes.dat can’t be imported" }).getByText("Nothing that Nestbox knows.").waitFor();
    await page.getByRole("button", { name: "Leave out notes.dat" }).click();
    await add("/home/builder/backup-of-tuesday.dat");
    await page.getByText("It becomes a new machine with its snapshots.").waitFor();
    await page.getByRole("button", { name: "Leave out backup-of-tuesday.dat" }).click();
    await page.getByRole("button", { name: "Import 3 items" }).click();
    await page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Mail server", exact: true }).waitFor();
  });

  await flow("a file that is not there is a warning on the machine's page", async (page) => {
    const main = await open(page, "Fedora Workstation");
    await main.getByText("stands on a file that is not there").waitFor();
    await main.getByRole("button", { name: "Show disks" }).click();
    await page.getByRole("main", { name: "Disks of Fedora Workstation" }).getByText("Its file is not there.").waitFor();
  });
}
