/** The snapshot timeline by role and accessible name alone: snapshots, clones, saved states, what takes space. */
import assert from "node:assert/strict";
import { flowsOf, openMachine as open } from "./flow.mjs";

const api = (page, path) => page.evaluate(async (wanted) => (await fetch(`/v1${wanted}`)).json(), path);
const snapshotsOf = async (page, machine) => (await api(page, `/machines/${encodeURIComponent(machine)}/snapshots`)).snapshots;
/** Waits, with an end, until a read of the library says so. */
const until = async (page, what, read) => {
  for (let tries = 0; tries < 80; tries += 1) {
    if (await read()) return;
    await page.waitForTimeout(50);
  }
  assert.fail(what);
};
const item = (page, name) => page.getByRole("tree", { name: "Snapshots" }).getByRole("treeitem", { name, exact: true });
const more = async (page, name) => {
  await item(page, name).click();
  await page.getByRole("toolbar", { name: `Actions for ${name}` }).getByRole("button", { name: `More actions for ${name}` }).click();
};
const description = (one) => one.getAttribute("aria-description");
const FRIDAY = "Friday 18:00 · 96 MB written";

export async function run(bench) {
  const flow = flowsOf(bench);
  const timeline = { scenario: "timeline" };

  await flow("snapshots: each kind is told, names are whole", async (page) => {
    await open(page, "Web server");
    assert.match(await description(item(page, FRIDAY)), /By schedule/);
    assert.match(await description(item(page, "Before restore")), /Kept for undo/);
    assert.match(await description(item(page, "Installed")), /Needed by Web server staging.*Kept for ever/);
    assert.match(await description(item(page, "Release 2.1")), /Disk 72 MB, memory 540 MB.*Together with/);
    const cut = await page.getByText(FRIDAY).first().evaluate((place) => place.scrollHeight > place.clientHeight + 1);
    assert.equal(cut, false, "a name of two lines is not cut");
    await item(page, "Release 2.1").click();
    await item(page, "Release 2.1").getByText("Together with Postgres").waitFor();
  }, timeline);

  await flow("snapshots: keep for ever, undo; notes", async (page) => {
    await open(page, "Ubuntu Desktop");
    const kept = async () => (await snapshotsOf(page, "Ubuntu Desktop")).find((one) => one.name === "Toolchain ready").keep;
    await more(page, "Toolchain ready");
    await page.getByRole("menuitemcheckbox", { name: "Keep", checked: false }).click();
    await until(page, "kept", kept);
    await more(page, "Toolchain ready");
    await page.getByRole("menuitemcheckbox", { name: "Keep", checked: true }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Undo" }).click();
    await until(page, "not kept any more", async () => !(await kept()));
    await more(page, "Toolchain ready");
    await page.getByRole("menuitem", { name: "Edit notes…" }).click();
    const dialog = page.getByRole("dialog", { name: "Notes of Toolchain ready" });
    await dialog.getByRole("textbox", { name: "Notes" }).fill("gcc and clang");
    await dialog.getByRole("button", { name: "Save notes" }).click();
    await item(page, "Toolchain ready").getByText("gcc and clang").waitFor();
  });

  await flow("snapshots: dropping memory waits for Undo, then happens", async (page) => {
    await open(page, "Web server");
    const drop = async () => {
      await more(page, "Release 2.1");
      await page.getByRole("menuitem", { name: "Drop memory" }).click();
    };
    await drop();
    await page.getByRole("button", { name: "Undo" }).click();
    assert.ok((await snapshotsOf(page, "Web server")).find((one) => one.name === "Release 2.1").memory);
    await drop();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await until(page, "memory dropped", async () => !(await snapshotsOf(page, "Web server")).find((one) => one.name === "Release 2.1").memory);
  }, timeline);

  await flow("snapshots: a subtree says what goes before it goes", async (page) => {
    await open(page, "Web server");
    await more(page, FRIDAY);
    await page.getByRole("menuitem", { name: "Delete subtree" }).click();
    const ask = page.getByRole("alertdialog", { name: "Delete subtree" });
    await ask.getByText("2 snapshots are deleted for good").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
    await ask.getByRole("button", { name: "Delete subtree" }).click();
    await item(page, "Before restore").waitFor({ state: "detached" });
    await item(page, FRIDAY).waitFor({ state: "detached" });
    await item(page, "Release 2.1").waitFor();
  }, timeline);

  await flow("snapshots: one that a clone stands on is not deleted, and says why", async (page) => {
    await open(page, "Web server");
    await item(page, "Installed").click();
    await page.getByRole("toolbar").getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("status").getByText("The disks of Web server staging stand on it.").waitFor();
    await item(page, "Installed").waitFor();
    await more(page, "Installed");
    await page.getByRole("menuitem", { name: "Delete subtree" }).click();
    const ask = page.getByRole("alertdialog", { name: "Delete subtree" });
    await ask.getByText("stand on it").waitFor();
    assert.equal(await ask.getByRole("button", { name: "Delete subtree" }).count(), 0);
  }, timeline);

  await flow("snapshots: restore says what else changed; memory that can't be loaded has a way out", async (page) => {
    await open(page, "Web server");
    await item(page, FRIDAY).click();
    await page.getByRole("toolbar").getByRole("button", { name: "Restore", exact: true }).click();
    const card = page.getByRole("article", { name: `“${FRIDAY}” was not restored` });
    await card.getByRole("button", { name: "Restore the disks only" }).click();
    await page.getByRole("status").getByText("The hardware is that of the snapshot").waitFor();
    await card.waitFor({ state: "detached" });
  }, timeline);

  await flow("snapshots: context menu and keys", async (page) => {
    await open(page, "Ubuntu Desktop");
    await item(page, "Now").focus();
    await page.keyboard.press("ArrowDown");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Before kernel upgrade");
    await item(page, "Before kernel upgrade").dispatchEvent("contextmenu");
    await page.getByRole("menu", { name: "More actions for Before kernel upgrade" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("menu").waitFor({ state: "detached" });
    await item(page, "Before kernel upgrade").focus();
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Clean install");
    await page.keyboard.press("Enter");
    await page.getByRole("toolbar", { name: "Actions for Clean install" }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.activeElement?.textContent === "Restore");
    await page.keyboard.press("ArrowRight");
    await page.waitForFunction(() => document.activeElement?.textContent === "Clone");
    await page.keyboard.press("Escape");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Clean install");
  });

  await flow("timeline: oldest first, arrows, Enter shows it in the tree", async (page) => {
    const main = await open(page, "Ubuntu Desktop");
    const strip = main.getByRole("list", { name: "Timeline" });
    const names = await strip.getByRole("button").evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")));
    assert.deepEqual(names, ["Clean install", "Updates installed", "Toolchain ready", "Smaller swap", "Wayland only", "Before kernel upgrade"]);
    const current = strip.getByRole("button", { name: "Before kernel upgrade" });
    assert.equal(await current.getAttribute("aria-current"), "true");
    assert.equal(await strip.locator("[tabindex='0']").count(), 1);
    await current.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await page.getByRole("toolbar", { name: "Actions for Smaller swap" }).waitFor();
    await page.waitForFunction(() => document.activeElement?.matches("[role=treeitem][aria-label='Smaller swap']"));
    await open(page, "Fedora Workstation");
    assert.equal(await page.getByRole("list", { name: "Timeline" }).count(), 0);
  });

  await flow("compare: two points, settings and disks", async (page) => {
    await open(page, "Ubuntu Desktop");
    await more(page, "Toolchain ready");
    await page.getByRole("menuitem", { name: "Compare…" }).click();
    const dialog = page.getByRole("dialog", { name: "Compare snapshots" });
    await dialog.getByRole("combobox", { name: "From" }).getByText("Toolchain ready").waitFor();
    await dialog.getByRole("combobox", { name: "To", exact: true }).getByText("Now").waitFor();
    await dialog.getByRole("table", { name: "Settings that differ" }).getByRole("row", { name: "Cores" }).waitFor();
    await dialog.getByRole("table", { name: "Disks" }).getByRole("cell", { name: "1.4 GB at most" }).waitFor();
    await dialog.getByRole("combobox", { name: "To", exact: true }).click();
    await page.getByRole("option", { name: "Clean install" }).click();
    await dialog.getByRole("combobox", { name: "To", exact: true }).getByText("Clean install").waitFor();
  });

  await flow("clone: linked from a snapshot, full from the present", async (page) => {
    await open(page, "Ubuntu Desktop");
    await item(page, "Toolchain ready").click();
    await page.getByRole("toolbar").getByRole("button", { name: "Clone", exact: true }).click();
    const dialog = page.getByRole("dialog", { name: "Clone Ubuntu Desktop" });
    const name = dialog.getByRole("textbox", { name: "Name" });
    assert.equal(await name.inputValue(), "Ubuntu Desktop clone");
    const kind = dialog.getByRole("radiogroup", { name: "Kind of clone" });
    await kind.getByRole("radio", { name: "Linked clone", checked: true }).waitFor();
    await dialog.getByRole("switch", { name: "Start when ready" }).click();
    await name.fill("postgres");
    await dialog.getByRole("alert").waitFor();
    await name.fill("Toolchain");
    await dialog.getByRole("button", { name: "Clone", exact: true }).click();
    const made = page.getByRole("main", { name: "Toolchain", exact: true });
    await made.getByRole("button", { name: "Start", exact: true }).waitFor();
    await made.getByText("Linked clone of").waitFor();
    await page.getByRole("status").getByText("passwords are those of the original").waitFor();
    await open(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "More actions", exact: true }).click();
    await page.getByRole("menuitem", { name: "Clone…" }).click();
    await kind.getByRole("radio", { name: "Full clone" }).click();
    await dialog.getByRole("button", { name: "Clone", exact: true }).click();
    await page.getByRole("main", { name: "Ubuntu Desktop clone", exact: true }).getByRole("button", { name: "Pause" }).waitFor();
  });

  await flow("suspend: save the state, go on, discard it", async (page) => {
    const main = await open(page, "Ubuntu Desktop");
    const save = async () => {
      await main.getByRole("button", { name: "Stop options" }).click();
      await page.getByRole("menuitem", { name: "Save state" }).click();
      await main.getByRole("button", { name: "Resume Ubuntu Desktop" }).waitFor();
    };
    await save();
    await main.getByRole("button", { name: "Resume", exact: true }).click();
    await main.getByRole("button", { name: "Pause" }).waitFor();
    await save();
    await page.getByRole("button", { name: "Edit machine" }).click();
    await page.getByText("Can’t change while the machine’s state is saved.").first().waitFor();
    await page.getByRole("button", { name: "Discard saved state" }).first().click();
    const ask = page.getByRole("alertdialog", { name: "Discard the saved state of Ubuntu Desktop?" });
    await ask.getByRole("button", { name: "Discard saved state" }).click();
    await page.waitForFunction(() => !document.querySelector("[aria-label=Cores]")?.hasAttribute("aria-disabled"));
  });

  await flow("a disposable run says so and can be kept", async (page) => {
    const main = await open(page, "Fedora Workstation");
    await main.getByRole("button", { name: "Start options" }).click();
    await page.getByRole("menuitem", { name: "Start and forget changes" }).click();
    await main.getByText("Everything written in this run is thrown away when it ends.").waitFor();
    const row = page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Fedora Workstation" });
    assert.match(await description(row), /thrown away/);
    await main.getByRole("button", { name: "Keep it after all" }).click();
    await main.getByText("Everything written in this run").waitFor({ state: "detached" });
  });

  await flow("edit: snapshots by themselves", async (page) => {
    await open(page, "Fedora Workstation");
    await page.getByRole("button", { name: "Edit machine" }).click();
    await page.getByRole("tab", { name: "Snapshots" }).click();
    const rules = async () => (await api(page, "/machines")).machines.find((one) => one.name === "Fedora Workstation").auto_snapshots;
    await page.getByRole("switch", { name: "Before each start", checked: true }).click();
    await until(page, "not before a start", async () => !(await rules()).before_start);
    await page.getByRole("combobox", { name: "Every" }).click();
    await page.getByRole("option", { name: "6 hours" }).click();
    await until(page, "every 6 hours", async () => (await rules()).every_hours === 6);
    const keep = page.getByRole("spinbutton", { name: "Keep the last" });
    await keep.fill("0");
    await page.getByRole("alert").getByText("A number from 1 to 1000.").waitFor();
    await keep.fill("20");
    await page.keyboard.press("Enter");
    await until(page, "the last 20", async () => (await rules()).keep === 20);
  });

  await flow("space: what it costs, asks where something is lost, frees it", async (page) => {
    await open(page, "Web server");
    await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name: "Settings" }).click();
    await page.getByRole("button", { name: "Free up space" }).click();
    const main = page.getByRole("main", { name: "Free up space" });
    const web = main.getByRole("table", { name: "Web server", exact: true });
    await web.getByRole("button", { name: "Drop memory: Memory of “Release 2.1”" }).click();
    const ask = page.getByRole("alertdialog", { name: "Drop this memory?" });
    await ask.getByText("starts the guest instead of going on").waitFor();
    await ask.getByRole("button", { name: "Drop memory" }).click();
    await page.getByRole("status").getByText("540 MB freed").waitFor();
    await web.getByText("Memory of “Release 2.1”").waitFor({ state: "detached" });
    await main.getByRole("table", { name: "Ubuntu Desktop" }).getByRole("button", { name: "Tidy up: Images of deleted snapshots" }).click();
    await page.getByRole("status").getByText("Tidying up").waitFor();
    const library = main.getByRole("table", { name: "The whole library" });
    await library.getByRole("button", { name: "Remove downloads: Downloaded image: debian-13" }).click();
    const prune = page.getByRole("alertdialog", { name: "Remove the downloads that no machine needs?" });
    await prune.getByText("unfinished ones too: 1.3 GB").waitFor();
    await prune.getByRole("button", { name: "Remove downloads" }).click();
    await library.getByText("Unfinished downloads").waitFor({ state: "detached" });
    await library.getByRole("button", { name: /^Empty bin: The disk/ }).click();
    await page.getByRole("alertdialog", { name: "Empty bin" }).getByText("“Scratch” of Fedora Workstation").waitFor();
    await page.getByRole("button", { name: "Empty bin", exact: true }).click();
    await library.getByText("The disk “Scratch” in the bin").waitFor({ state: "detached" });
  });

  await flow("several machines at one instant, by palette and by tag", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox", { name: "Command" }).fill("snapshot all with tag lab");
    await page.getByRole("option", { name: "Snapshot all with tag Lab" }).waitFor();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog", { name: "Take snapshot of machines" });
    const boxes = dialog.getByRole("group", { name: "Machines" }).getByRole("checkbox");
    await boxes.first().waitFor();
    const count = await boxes.count();
    assert.ok(count > 2);
    await dialog.getByRole("checkbox", { name: "Arch scratch" }).click();
    await dialog.getByRole("textbox", { name: "Name" }).fill("Lab as it was");
    await dialog.getByRole("button", { name: "Take snapshot" }).click();
    await page.getByRole("status").getByText(`Snapshots of ${count - 1} machines taken`).waitFor();
    assert.ok((await snapshotsOf(page, "Alpine router")).some((one) => one.name === "Lab as it was" && one.group));
    assert.equal((await snapshotsOf(page, "Arch scratch")).length, 0);
    await page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Servers", exact: true }).click({ button: "right" });
    await page.getByRole("menuitem", { name: "Snapshot all with tag Servers" }).click();
    await dialog.getByRole("checkbox", { name: "Postgres" }).waitFor();
  });

  await flow("least window: timeline, clone and space stay inside", async (page) => {
    await open(page, "Web server");
    const inside = async () => assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth), 0);
    await inside();
    await page.getByRole("button", { name: "More actions", exact: true }).click();
    await page.getByRole("menuitem", { name: "Clone…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Clone", exact: true }).waitFor();
    await inside();
    await page.keyboard.press("Escape");
    await page.evaluate(() => (window.location.hash = "#/space"));
    await page.getByRole("table", { name: "Web server", exact: true }).waitFor();
    await inside();
    const over = await page.getByRole("table", { name: "Web server", exact: true }).evaluate((table) => table.scrollWidth - table.clientWidth);
    assert.equal(over, 0);
  }, { ...timeline, width: 800, height: 600 });
}
