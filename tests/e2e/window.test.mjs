// The real window under Xvfb, from the first click to a restored guest and dropped files, by role and name, checking pixels.
import assert from "node:assert/strict";
import { copyFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BOOT, GuestSession } from "./lib/guest-session.mjs";
import { end, start, until } from "./lib/processes.mjs";
import { built, guest, lacking, Setting } from "./lib/setting.mjs";

const missing = lacking("Xvfb", "WebKitWebDriver", "tauri-driver", built("nestbox-app"), built("nestbox"));
const noGuests = lacking(guest("tiny-arm64.qcow2"), guest("tiny.iso"), built("nestbox-test-mirror"), "qemu-system-aarch64");
const skip = missing.length ? `not on this computer: ${missing.join(", ")}` : false;
const skipGuests = skip || (noGuests.length ? `not on this computer: ${noGuests.join(", ")}` : false);

/** Keeps a picture when a test fails. */
async function watched(setting, name, body) {
  try {
    await body();
  } catch (error) {
    error.message += `\npicture: ${await setting.keepPicture(`failed-${name}`).catch(String)}`;
    throw error;
  }
}

describe("the window", { skip }, () => {
  let setting;
  before(async () => {
    setting = await Setting.make();
    await setting.display();
    await setting.window();
  });
  after(() => setting?.close());

  test("the first run welcomes and offers a way on", () => watched(setting, "first-run", async () => {
    const window = setting.session;
    const main = await window.get("main", "Welcome", { within: 30_000 });
    for (const name of ["New VM", "Import", "Quick start Ubuntu"]) await window.get("button", name, { scope: main });
    // With acceleration the one, without it the other.
    await until("the verdict on this computer", async () =>
      (await window.all("button", "Open Doctor", main)).length || (await window.all("button", "Fix it…", main)).length, { within: 30_000 });
    await window.get("complementary", "Sidebar");
    await setting.keepPicture("welcome");
  }));

  test("New VM opens by keyboard and closes by Escape", () => watched(setting, "keyboard", async () => {
    const window = setting.session;
    await window.press("Control+n");
    await window.get("dialog", "New VM");
    await window.press("Escape");
    await window.gone("dialog", "New VM");
    await window.press("Control+k");
    await window.get("dialog", "Command palette");
    await window.press("Escape");
    await window.gone("dialog", "Command palette");
  }));

  test("a second launch ends at once and the first stays", async () => {
    const second = start(built("nestbox-app"), [], { env: setting.env });
    assert.equal(await Promise.race([second.ended, until("never", () => false, { within: 8000 }).catch(() => "still there")]), 0);
    await end(second);
    await setting.session.get("main", "Welcome");
  });

  test("what a command does shows within a second", () => watched(setting, "two-clients", async () => {
    const window = setting.session;
    await setting.cli("create", "By command", "--blank", "--disk", "1G");
    await window.get("treeitem", "By command", { within: 1500 });
    await setting.cli("rename", "By command", "By “another” name");
    await window.get("treeitem", "By “another” name", { within: 1500 });
    await setting.cli("delete", "By “another” name", "--yes");
    await window.gone("treeitem", "By “another” name", { within: 1500 });
  }));

  test("its size is remembered, and closing it leaves the service be", () => watched(setting, "size", async () => {
    const window = setting.session;
    await window.command("POST", "/window/rect", { width: 1000, height: 700 });
    await until("the new size", async () => (await window.run("return innerWidth")) === 1000);
    // The notice that machines keep running comes once, when some run; none does now.
    const close = await window.get("button", "Close window");
    await close.click().catch(() => {}); // The driver may lose the window before it has answered.
    await until("the window to end", async () => window.run("return 1").then(() => false, () => true));
    await window.end();
    await setting.service.get("/v1/service");
    const again = await setting.window();
    await again.get("main", "Welcome", { within: 30_000 });
    assert.deepEqual(await again.run("return [innerWidth, innerHeight]"), [1000, 700]);
  }));
});

describe("the main road in the window", { skip: skipGuests }, () => {
  let setting, road;
  const name = "Road test";
  before(async () => {
    setting = await Setting.make();
    await setting.display();
    await setting.mirror("--rate", String(3 << 20));
    await setting.window();
    road = new GuestSession(setting, name);
  });
  after(() => setting?.close());
  // Each step stands on the one before.
  let red;
  const step = (title, body) => test(title, async () => {
    if (red) throw new Error(`“${red}” failed before`);
    red = title;
    await watched(setting, title, body);
    red = undefined;
  });

  step("New VM, Ubuntu arm64, Create: it downloads, verifies and boots on the screen", async () => {
    const window = setting.session;
    await window.click("button", "New VM", { scope: await window.get("main", "Welcome", { within: 30_000 }) });
    await window.click("radio", "Ubuntu arm64", { scope: await window.get("dialog", "New VM") });
    await window.click("button", "Continue");
    // The form waits for Doctor, which proves accelerators the first time: seconds, more on a busy computer.
    await (await window.get("textbox", "Name", { within: 60_000 })).fill(name);
    await (await window.get("textbox", "User")).fill("builder");
    await window.click("combobox", "Sign in with");
    await window.click("option", "Key and password");
    // A password field has no role of its own.
    await window.run("document.querySelector('[role=dialog] input[type=password]').focus()");
    await window.press(..."nest-box");
    await setting.keepPicture("new-vm");
    await window.click("button", "Create");
    await window.get("progressbar", "Download", { within: 15_000 });
    await window.get("list", "Steps", { within: 5000 });
    await window.get("button", "Cancel creation", { within: 5000 });
    await setting.keepPicture("creating");
    await road.says(/ready arch=(arm64|aarch64) .*user=builder/);
    await road.shows("green");
    await setting.keepPicture("display");
    const machine = await setting.service.machine(name);
    assert.equal(machine.arch, "aarch64");
    assert.equal(machine.accelerator, "tcg");
    assert.ok(machine.accelerator_reason, "says why it is emulated");
  });

  step("logs in on the screen, and the guest obeys the keyboard", async () => {
    await road.logsIn("builder", "nest-box");
    await road.types("echo precious > /data/scratch/precious; counter start; paint blue\n");
    await road.says(/painted blue/, { within: 90_000, every: 500 });
    await road.shows("blue");
  });

  let snapshot, before_break;
  step("takes a snapshot from the sidebar", async () => {
    const window = setting.session;
    await window.click("button", "Take snapshot", { scope: await window.get("complementary", "Snapshots") });
    snapshot = await until("the snapshot", async () => {
      const { snapshots } = await setting.service.get(`/v1/machines/${encodeURIComponent(name)}/snapshots`);
      return snapshots[0];
    }, { within: 60_000 });
    assert.equal(snapshot.memory, true);
    await window.get("treeitem", snapshot.name);
    await setting.keepPicture("snapshots");
  });

  step("breaks the guest", async () => {
    const from = await road.said();
    await road.types("rm /data/scratch/precious; guest-break\n");
    before_break = await road.says(/broken/, { within: 90_000, every: 500, from });
    await road.shows("red");
  });

  step("restores it: picture, memory and disk are those of the snapshot", async () => {
    const window = setting.session;
    await window.click("treeitem", snapshot.name);
    const actions = await window.get("toolbar", `Actions for ${snapshot.name}`);
    await window.click("button", "Restore", { scope: actions });
    await window.get("button", "Undo", { within: 60_000 });
    await until("the machine to run", async () => (await setting.service.machine(name)).state === "running", { within: 60_000 });
    const kept = (await setting.service.get(`/v1/machines/${encodeURIComponent(name)}/snapshots`)).snapshots;
    assert.equal(kept.length, 2, "what was there is kept");
    await road.shows("blue");
    const from = await road.said();
    // Green only if the file that was removed is back.
    await road.types("grep -q precious /data/scratch/precious && paint green || paint red\n");
    const log = (await road.says(/painted (green|red)/, { within: 90_000, every: 500, from })).slice(from);
    assert.match(log, /painted green/, "the file that was removed is back");
    const counters = (text) => [...text.matchAll(/counter ram=(\d+) disk=(\d+)/g)].map(([, ram, disk]) => [Number(ram), Number(disk)]);
    for (const [ram, disk] of counters(log)) assert.equal(ram, disk, "memory and disk are of one instant");
    assert.ok(counters(log)[0][0] <= counters(before_break).at(-1)[0] + 2, "the counter went on from the snapshot");
    await road.shows("green");
    await setting.keepPicture("restored");
  });

  step("an .iso and a .qcow2 dropped on the window run, too", async () => {
    const window = setting.session;
    const [iso, disk] = [join(setting.home, "tiny live ü.iso"), join(setting.home, "tiny disk.qcow2")];
    await copyFile(guest("tiny.iso"), iso);
    await copyFile(guest("tiny-amd64.qcow2"), disk);
    await road.showLibrary();
    const dropped = setting.drop(640, 400, [iso, disk], 1500);
    await window.get("dialog", "Drop to import", { within: 1400 });
    await dropped;
    await window.get("dialog", "Import 2 items");
    const items = await window.get("listbox", "Items");
    for (const file of ["tiny live ü.iso", "tiny disk.qcow2"]) await window.get("option", file, { scope: items });
    await setting.keepPicture("import");
    await window.click("button", "Import 2 items", { within: 30_000 });
    const machines = await until("both machines", async () => {
      const { machines } = await setting.service.get("/v1/machines");
      const fresh = machines.filter((machine) => machine.name !== name && machine.state === "stopped");
      return fresh.length === 2 && fresh;
    }, { within: 120_000 });
    // The first guest made its point; two emulated ones at a time are enough for two cores.
    await setting.cli("stop", name, "--force");
    for (const machine of machines) {
      await window.click("treeitem", machine.name);
      await window.click("button", "Start", { scope: await window.get("main", machine.name) });
      const session = new GuestSession(setting, machine.name);
      await session.says(machine.medium ? /ready arch=\S+ medium=iso/ : /ready arch=\S+ medium=disk/, BOOT);
      await session.openDisplay();
      await session.shows("green");
      await session.showLibrary();
      await setting.cli("stop", machine.name, "--force");
    }
    await setting.keepPicture("imported");
  });

  step("a second machine of the same image is there in a moment", async () => {
    const from = process.hrtime.bigint();
    await setting.cli("create", "Second", "--template", "ubuntu-24.04", "--arch", "aarch64");
    const seconds = Number(process.hrtime.bigint() - from) / 1e9;
    assert.ok(seconds < 4, `it took ${seconds} s`);
    await setting.session.get("treeitem", "Second", { within: 1500 });
  });
});
