/** The main flows by role and accessible name alone, as a user of a screen reader or a test would. */
import assert from "node:assert/strict";
import { flowsOf, openMachine as open } from "./flow.mjs";

export async function run(bench) {
  const flow = flowsOf(bench);

  await flow("names: regions, sidebar, sections", async (page) => {
    const side = page.getByRole("complementary", { name: "Sidebar" });
    await side.getByRole("button", { name: "New VM" }).waitFor();
    await side.getByRole("textbox", { name: "Search machines" }).waitFor();
    for (const name of ["Command palette", "All machines", "Running machines", "Filter by tag"]) {
      await side.getByRole("button", { name }).waitFor();
    }
    const sections = page.getByRole("navigation", { name: "Sections" });
    for (const name of ["Activity", "Doctor", "Settings"]) await sections.getByRole("link", { name }).waitFor();
    await page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Desktops" }).waitFor();
    await page.getByRole("complementary", { name: "Snapshots" }).waitFor();
  });

  await flow("names: the machine page", async (page) => {
    const main = await open(page, "Ubuntu Desktop");
    for (const name of ["Pause", "Stop", "Stop options", "Edit machine", "More actions", "Open display", "Copy address", "Copy SSH command", "Open in browser"]) {
      await main.getByRole("button", { name, exact: true }).waitFor();
    }
    await main.getByRole("button", { name: "Snapshots", pressed: true }).waitFor();
    for (const name of ["Processor", "Memory", "Disk", "Network"]) {
      await main.getByRole("img", { name: `${name}, last 60 seconds` }).waitFor();
    }
    assert.equal(await main.getByRole("button", { name: "Start", exact: true }).count(), 0);
    await open(page, "Fedora Workstation");
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
    await page.getByRole("button", { name: "Start Fedora Workstation" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "Pause", exact: true }).count(), 0);
    await open(page, "Debian testing");
    await page.getByRole("button", { name: "Resume", exact: true }).waitFor();
    await page.getByRole("button", { name: "Resume Debian testing" }).waitFor();
  });

  await flow("first run: welcome, quick start, Doctor", async (page) => {
    const main = page.getByRole("main", { name: "Welcome" });
    for (const name of ["New VM", "Import", "Quick start Ubuntu", "Quick start Debian", "Quick start Alpine", "Open Doctor"]) {
      await main.getByRole("button", { name, exact: true }).waitFor();
    }
  }, { scenario: "empty" });

  await flow("first run without acceleration", async (page) => {
    await page.getByRole("main", { name: "Welcome" }).getByRole("button", { name: "Fix it…" }).waitFor();
  }, { scenario: "empty-noaccel" });

  await flow("start, pause, resume, stop", async (page) => {
    await open(page, "Fedora Workstation");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    await page.getByRole("button", { name: "Pause", exact: true }).click();
    await page.getByRole("button", { name: "Resume", exact: true }).click();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  });

  await flow("force off asks, says what is lost, and does it", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "Stop options" }).click();
    await page.getByRole("menuitem", { name: "Force off" }).click();
    const ask = page.getByRole("alertdialog", { name: "Force Ubuntu Desktop off?" });
    await ask.getByRole("button", { name: "Cancel" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
    await ask.getByRole("button", { name: "Force off" }).click();
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  });

  await flow("snapshots: take, select, restore, undo", async (page) => {
    await open(page, "Ubuntu Desktop");
    const tree = page.getByRole("tree", { name: "Snapshots" });
    await tree.getByRole("treeitem", { name: "Now", exact: true }).waitFor();
    await tree.getByRole("treeitem", { name: "Toolchain ready" }).click();
    const bar = page.getByRole("toolbar", { name: "Actions for Toolchain ready" });
    for (const name of ["Restore", "Clone", "Rename", "Delete", "More actions for Toolchain ready"]) await bar.getByRole("button", { name, exact: true }).waitFor();
    await bar.getByRole("button", { name: "Restore" }).click();
    await tree.getByRole("treeitem", { name: "Before restore" }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await tree.getByRole("treeitem", { name: "Before restore" }).waitFor({ state: "detached" });
    const before = await tree.getByRole("treeitem").count();
    await page.getByRole("button", { name: "Take snapshot" }).click();
    await tree.getByRole("treeitem").nth(before).waitFor();
  });

  await flow("snapshots: delete waits for Undo, then happens", async (page) => {
    await open(page, "Ubuntu Desktop");
    const tree = page.getByRole("tree", { name: "Snapshots" });
    const item = tree.getByRole("treeitem", { name: "Smaller swap" });
    const remove = async () => {
      await item.click();
      await page.getByRole("toolbar", { name: "Actions for Smaller swap" }).getByRole("button", { name: "Delete" }).click();
      await item.waitFor({ state: "detached" });
    };
    await remove();
    await page.getByRole("button", { name: "Undo" }).click();
    await item.waitFor();
    await remove();
    await page.getByRole("button", { name: "Dismiss" }).click();
    await page.waitForTimeout(300);
    const id = await page.evaluate(async () => {
      const { machines } = await (await fetch("/v1/machines")).json();
      const desktop = machines.find((one) => one.name === "Ubuntu Desktop").id;
      return (await (await fetch(`/v1/machines/${desktop}/snapshots`)).json()).snapshots.map((one) => one.name);
    });
    assert.ok(!id.includes("Smaller swap"));
    assert.ok(id.includes("Wayland only"));
  });

  await flow("snapshots: rename in place", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.getByRole("treeitem", { name: "Clean install" }).focus();
    await page.keyboard.press("F2");
    await page.getByRole("textbox", { name: "New name of Clean install" }).fill("Fresh");
    await page.keyboard.press("Enter");
    await page.getByRole("treeitem", { name: "Fresh", exact: true }).waitFor();
  });

  await flow("keyboard: one tab stop in the tree, arrows, Enter, fold, type ahead", async (page) => {
    await open(page, "Ubuntu Desktop");
    const tree = page.getByRole("tree", { name: "Machines" });
    assert.equal(await tree.locator("[role=treeitem][tabindex='0']").count(), 1);
    await tree.getByRole("treeitem", { name: "Ubuntu Desktop" }).focus();
    const focused = (name) => page.waitForFunction((n) => document.activeElement?.getAttribute("aria-label") === n, name);
    await page.keyboard.press("ArrowUp");
    await focused("Fedora Workstation");
    await page.keyboard.press("Enter");
    await page.getByRole("main", { name: "Fedora Workstation" }).getByRole("button", { name: "Start", exact: true }).waitFor();
    await page.keyboard.press("ArrowLeft");
    await focused("Desktops");
    await page.keyboard.press("ArrowLeft");
    await tree.getByRole("treeitem", { name: "Desktops", expanded: false }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Web server");
    await page.keyboard.type("op");
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "OpenBSD edge");
  });

  await flow("keyboard: shortcuts and F6", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.keyboard.press("Control+e");
    await page.getByRole("main", { name: "Edit Ubuntu Desktop" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("main", { name: "Ubuntu Desktop", exact: true }).waitFor();
    await page.keyboard.press("Control+Shift+S");
    await page.getByRole("complementary", { name: "Snapshots" }).waitFor({ state: "detached" });
    await page.keyboard.press("Control+Shift+S");
    await page.getByRole("complementary", { name: "Snapshots" }).waitFor();
    const pane = () => page.evaluate(() => document.activeElement?.closest("[data-pane]")?.getAttribute("data-pane"));
    const first = await pane();
    const seen = new Set([first]);
    for (let i = 0; i < 3; i += 1) {
      await page.keyboard.press("F6");
      seen.add(await pane());
    }
    for (const name of ["sidebar", "main", "inspector"]) assert.ok(seen.has(name), name);
    await page.keyboard.press("Control+1");
    await page.getByRole("main", { name: "Debian testing" }).waitFor();
  });

  await flow("palette: opens, finds, runs, Tab changes the machine, Esc closes, focus returns", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "Edit machine" }).focus();
    await page.keyboard.press("Control+k");
    const dialog = page.getByRole("dialog", { name: "Command palette" });
    await dialog.getByRole("option", { name: "Take snapshot", exact: true }).waitFor();
    const behind = await page.evaluate(() => Boolean(document.querySelector(".app")?.closest("[inert], [aria-hidden=true]")));
    assert.ok(behind, "the page behind is inert");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    // It comes back with the next frame.
    await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Edit machine");
    await page.keyboard.press("Control+k");
    await dialog.getByRole("combobox", { name: "Command" }).fill("stop");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
  });

  await flow("rename, undo; a taken name is said at the field", async (page) => {
    await open(page, "Arch scratch");
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Rename" }).click();
    const field = page.getByRole("textbox", { name: "Name" });
    await field.fill("postgres");
    await page.getByRole("button", { name: "Rename", exact: true }).click();
    await page.getByRole("alert").getByText("already").waitFor();
    await field.fill("Arch two");
    await page.keyboard.press("Enter");
    await page.getByRole("main", { name: "Arch two" }).waitFor();
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("main", { name: "Arch scratch" }).waitFor();
  });

  await flow("move to trash and Undo", async (page) => {
    await open(page, "OpenBSD edge");
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Move to trash" }).click();
    await page.getByRole("treeitem", { name: "OpenBSD edge" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("main", { name: "OpenBSD edge" }).waitFor();
  });

  await flow("tags: add, filter, clear", async (page) => {
    await open(page, "Arch scratch");
    await page.getByRole("button", { name: "More actions" }).click();
    await page.getByRole("menuitem", { name: "Edit tags" }).click();
    const dialog = page.getByRole("dialog", { name: "Tags of Arch scratch" });
    await dialog.getByRole("textbox", { name: "New tag" }).fill("toy");
    await dialog.getByRole("button", { name: "Add tag", exact: true }).click();
    await dialog.getByRole("button", { name: "Remove tag toy" }).waitFor();
    await dialog.getByRole("button", { name: "Done" }).click();
    await page.getByRole("button", { name: "Filter by tag" }).click();
    await page.getByRole("menuitem", { name: "toy" }).click();
    await page.getByRole("treeitem", { name: "Ubuntu Desktop" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "All machines" }).click();
    await page.getByRole("treeitem", { name: "Ubuntu Desktop" }).waitFor();
    await page.getByRole("textbox", { name: "Search machines" }).fill("nothing at all");
    await page.getByText("Nothing matches.").waitFor();
    await page.getByRole("button", { name: "Clear filter" }).click();
    await page.getByRole("treeitem", { name: "Ubuntu Desktop" }).waitFor();
  });

  await flow("edit: locked while on, Stop and change, saves, Undo", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.getByRole("button", { name: "Edit machine" }).click();
    const cores = page.getByRole("slider", { name: "Cores" });
    assert.equal(await cores.getAttribute("aria-disabled"), "true");
    await page.getByRole("button", { name: "Stop and change" }).first().click();
    await page.waitForFunction(() => !document.querySelector("[aria-label=Cores]")?.hasAttribute("aria-disabled"));
    await cores.focus();
    await page.keyboard.press("ArrowRight");
    const cpus = () => page.evaluate(async () => (await (await fetch("/v1/machines")).json()).machines.find((one) => one.name === "Ubuntu Desktop").cpus);
    const until = async (wanted) => {
      for (let i = 0; i < 50 && (await cpus()) !== wanted; i += 1) await page.waitForTimeout(50);
      assert.equal(await cpus(), wanted);
    };
    await until(5);
    await page.getByRole("main").getByRole("button", { name: "Undo" }).click();
    await until(4);
    await page.getByRole("tab", { name: "Start-up" }).click();
    await page.getByRole("combobox", { name: "Firmware" }).click();
    await page.getByRole("option", { name: "BIOS" }).click();
    await page.getByRole("tab", { name: "Start-up", exact: true }).waitFor();
    await page.getByRole("combobox", { name: "Firmware" }).getByText("BIOS").waitFor();
    await page.getByRole("tab", { name: "Network" }).click();
    await page.getByRole("textbox", { name: "Port in the guest" }).fill("443");
    await page.getByRole("button", { name: "Add port forward" }).click();
    await page.getByRole("table", { name: "Port forwards" }).getByRole("cell", { name: "443", exact: true }).waitFor();
  });

  await flow("errors stay where they happened", async (page) => {
    await open(page, "Rocky build agent");
    await page.getByRole("button", { name: "Start", exact: true }).click();
    const card = page.getByRole("article", { name: "Rocky build agent didn’t start" });
    await card.getByRole("button", { name: "Try again" }).waitFor();
    await card.getByText("Technical details").click();
    await card.getByRole("button", { name: "Copy details" }).waitFor();
    await card.getByRole("button", { name: "Dismiss" }).click();
    await card.waitFor({ state: "detached" });
  });

  await flow("narrow: the pane lies over the page and Esc closes it", async (page) => {
    await open(page, "Ubuntu Desktop");
    assert.equal(await page.getByRole("complementary", { name: "Snapshots" }).count(), 0);
    await page.getByRole("button", { name: "Snapshots", exact: true }).click();
    await page.getByRole("complementary", { name: "Snapshots" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("complementary", { name: "Snapshots" }).waitFor({ state: "detached" });
  }, { width: 960, height: 640 });

  await flow("least window: nothing runs out of it", async (page) => {
    await open(page, "Ubuntu Desktop");
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.equal(over, 0);
    await page.getByRole("button", { name: "Edit machine" }).click();
    await page.getByRole("main", { name: "Edit Ubuntu Desktop" }).waitFor();
  }, { width: 800, height: 600 });

  await flow("closing with machines running says so once", async (page) => {
    await open(page, "Ubuntu Desktop");
    const close = page.getByRole("group", { name: "Window" }).getByRole("button", { name: "Close window" });
    const closed = () => page.evaluate(() => document.documentElement.dataset.closed === "true");
    await close.click();
    const notice = page.getByRole("dialog", { name: "Machines keep running" });
    await notice.getByRole("heading", { name: "7 machines keep running" }).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Close window");
    assert.equal(await closed(), false);
    await notice.getByRole("button", { name: "Keep open" }).click();
    await notice.waitFor({ state: "detached" });
    assert.equal(await closed(), false);
    // Said once: from now on the window closes.
    await page.waitForFunction(async () => (await (await fetch("/v1/config")).json()).config["window.close_notice_seen"] === "true");
    await page.waitForTimeout(200);
    await close.click();
    assert.equal(await closed(), true);
  });

  await flow("closing from the notice closes and remembers", async (page) => {
    await open(page, "Ubuntu Desktop");
    await page.getByRole("group", { name: "Window" }).getByRole("button", { name: "Close window" }).click();
    await page.getByRole("dialog", { name: "Machines keep running" }).getByRole("button", { name: "Close window", exact: true }).click();
    await page.waitForFunction(() => document.documentElement.dataset.closed === "true");
    assert.equal(await page.evaluate(async () => (await (await fetch("/v1/config")).json()).config["window.close_notice_seen"]), "true");
  });

  await flow("closing with nothing running asks nothing", async (page) => {
    await page.getByRole("main", { name: "Welcome" }).waitFor();
    await page.getByRole("group", { name: "Window" }).getByRole("button", { name: "Close window" }).click();
    await page.waitForFunction(() => document.documentElement.dataset.closed === "true");
  }, { scenario: "empty" });

  await flow("every control has a name", async (page) => {
    for (const name of ["Ubuntu Desktop", "Rocky build agent", "Debian testing"]) {
      await open(page, name);
      const nameless = await page.evaluate(() =>
        [...document.querySelectorAll("button, a, input, textarea, [role=slider], [role=switch], [role=option], [role=treeitem]")]
          .filter((one) => !(one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length))
          .map((one) => one.outerHTML.slice(0, 90)),
      );
      assert.deepEqual(nameless, []);
    }
  });
}
