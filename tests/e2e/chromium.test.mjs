// The same pages in Chromium against the real service: `nestbox service serve --listen`. What needs no native window is tried
// here, where it is quicker, in light and dark.
import assert from "node:assert/strict";
import { cp, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { end, Hopeless, start, until } from "./lib/processes.mjs";
import { decode, isGreen, share } from "./lib/picture.mjs";
import { built, guest, lacking, root, Setting, which } from "./lib/setting.mjs";

const chromium = which("chromium", "chromium-browser", "google-chrome", "google-chrome-stable");
const missing = [
  ...(chromium ? [] : ["chromium"]),
  ...lacking(built("nestbox"), built("nestbox-test-mirror"), guest("tiny-amd64.qcow2"), join(root, "ui/dist/index.html"), "qemu-system-x86_64"),
];
const skip = missing.length ? `not on this computer: ${missing.join(", ")}` : false;

describe("the pages in a browser", { skip }, () => {
  let setting, browser, context, page, address;
  const troubles = [];

  before(async () => {
    const { chromium: driver } = await import("playwright-core");
    setting = await Setting.make();
    await setting.mirror();
    // A copy: a build that goes on meanwhile takes away files that the page has yet to load.
    setting.env.NESTBOX_UI = join(setting.home, "ui");
    await cp(join(root, "ui/dist"), setting.env.NESTBOX_UI, { recursive: true });
    const service = start(built("nestbox"), ["--json", "service", "serve", "--listen", "127.0.0.1:0"], { env: setting.env });
    setting.onClose(() => end(service));
    address = await until("the service", () => /"browser":\s*"(http[^"]+)"/.exec(service.output)?.[1], { within: 30_000 });
    browser = await driver.launch({ executablePath: chromium, args: ["--no-sandbox"] });
    setting.onClose(() => browser.close());
    context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce", locale: "en-US" });
    page = await context.newPage();
    page.setDefaultTimeout(15_000);
    page.on("console", (message) => message.type() === "error" && troubles.push(message.text()));
    page.on("pageerror", (error) => troubles.push(String(error)));
    await page.goto(address);
  });
  after(() => setting?.close());

  const button = (name, scope = page) => scope.getByRole("button", { name, exact: true });
  const keep = async (name) => {
    const folder = join(root, "target/e2e");
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`) });
  };
  // Each step stands on the one before.
  let red;
  const step = (title, body) => test(title, async () => {
    if (red) throw new Error(`“${red}” failed before`);
    red = title;
    try {
      await body();
      red = undefined;
    } catch (error) {
      await keep(`failed-chromium-${title.replace(/[^a-z0-9]+/gi, "-").slice(0, 40)}`);
      throw error;
    }
  });

  step("the first run welcomes; without the token nothing is told", async () => {
    await page.getByRole("main", { name: "Welcome" }).waitFor();
    assert.equal(new URL(page.url()).searchParams.get("token"), null, "the token does not stay in the address");
    const stranger = await fetch(new URL("/v1/machines", address));
    assert.equal(stranger.status, 401);
    const elsewhere = await fetch(new URL("/v1/machines", address), { headers: { cookie: (await context.cookies()).map((c) => `${c.name}=${c.value}`).join("; "), origin: "https://evil.example" } });
    assert.ok([401, 403].includes(elsewhere.status), `a page of another origin is refused: ${elsewhere.status}`);
    await keep("chromium-welcome-light");
  });

  step("Doctor says what was tested here", async () => {
    await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name: "Doctor" }).click();
    await page.getByRole("main", { name: "Doctor" }).waitFor();
    await button("Run checks again").waitFor();
    const { ok, checks } = await setting.service.get("/v1/doctor");
    assert.equal(ok, true);
    assert.ok(checks.length >= 4);
    await keep("chromium-doctor-light");
  });

  step("New VM, Ubuntu amd64: made and running, its screen shows", async () => {
    await page.getByRole("complementary", { name: "Sidebar" }).getByRole("button", { name: "New VM" }).click();
    const sheet = page.getByRole("dialog", { name: "New VM" });
    await sheet.getByRole("radio", { name: "Ubuntu amd64" }).first().click();
    await button("Continue", sheet).click();
    await page.getByRole("textbox", { name: "Name" }).fill("In Chromium");
    await keep("chromium-new-vm-light");
    await button("Create").click();
    await until("the guest", async () => {
      const { state, state_reason: reason } = await setting.service.machine("In Chromium");
      if (state === "stopped" && reason) throw new Hopeless(reason);
      return /ready arch=/.test(await setting.service.serial("In Chromium"));
    }, { within: 240_000, every: 500 });
    if (!(await page.getByRole("application").count())) {
      await page.getByRole("treeitem", { name: "In Chromium" }).click();
      await button("Open display").click();
    }
    const canvas = page.getByRole("application", { name: /^Display of In Chromium/ });
    await until("a green screen", async () => {
      const picture = decode(await canvas.screenshot());
      return share(picture, isGreen) > 0.7;
    }, { within: 60_000, every: 500 });
    assert.ok(Number(await canvas.getAttribute("data-frames")) > 0);
  });

  step("pause, resume and rename: the command line and the page agree within a second", async () => {
    await page.mouse.move(480, 30);
    await page.mouse.move(480, 6); // The display's toolbar comes when the pointer is at the top.
    await button("Show library").click();
    await page.getByRole("treeitem", { name: "In Chromium" }).click();
    const main = page.getByRole("main", { name: "In Chromium", exact: true });
    await button("Pause", main).click();
    await button("Resume", main).waitFor({ timeout: 3000 });
    assert.equal((await setting.cli("show", "In Chromium")).state, "paused");
    await setting.cli("resume", "In Chromium");
    await button("Pause", main).waitFor({ timeout: 1500 });
    await setting.cli("rename", "In Chromium", "Renamed, “quoted” & <b>bold</b>");
    await page.getByRole("treeitem", { name: "Renamed, “quoted” & <b>bold</b>" }).waitFor({ timeout: 1500 });
    await setting.cli("rename", "Renamed, “quoted” & <b>bold</b>", "In Chromium");
    await page.getByRole("main", { name: "In Chromium" }).waitFor({ timeout: 1500 });
  });

  step("a snapshot is taken, renamed, restored, and what was kept is deleted", async () => {
    const path = "/v1/machines/In%20Chromium/snapshots";
    await button("Take snapshot").click();
    const snapshot = await until("a snapshot", async () => (await setting.service.get(path)).snapshots[0], { within: 60_000 });
    await page.getByRole("treeitem", { name: snapshot.name, exact: true }).click();
    await button("Rename", page.getByRole("toolbar", { name: `Actions for ${snapshot.name}` })).click();
    await page.getByRole("textbox", { name: `New name of ${snapshot.name}` }).fill("Clean");
    await page.keyboard.press("Enter");
    await page.getByRole("treeitem", { name: "Clean", exact: true }).waitFor();
    await button("Restore", page.getByRole("toolbar", { name: "Actions for Clean" })).click();
    const kept = page.getByRole("treeitem", { name: "Before restore", exact: true });
    await kept.waitFor({ timeout: 60_000 });
    assert.equal((await setting.service.get(path)).snapshots.length, 2);
    await keep("chromium-snapshots-light");
    await kept.click();
    await button("Delete", page.getByRole("toolbar", { name: "Actions for Before restore" })).click();
    await kept.waitFor({ state: "detached", timeout: 3000 });
    // Really gone once the time for undo is over.
    await until("the snapshot to go", async () => (await setting.service.get(path)).snapshots.length === 1, { within: 30_000 });
  });

  step("stop, trash and back", async () => {
    await setting.cli("stop", "In Chromium", "--force");
    const main = page.getByRole("main", { name: "In Chromium" });
    await button("Start", main).waitFor({ timeout: 3000 });
    await button("More actions", main).click();
    await page.getByRole("menuitem", { name: "Move to trash" }).click();
    await until("the trash", async () => (await setting.service.get("/v1/trash")).entries.length === 1);
    assert.equal((await setting.cli("list")).machines.length, 0);
    await setting.cli("trash", "restore", "In Chromium");
    await page.getByRole("treeitem", { name: "In Chromium" }).waitFor({ timeout: 1500 });
  });

  step("dark is dark, and the setting is the service's", async () => {
    await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name: "Settings" }).click();
    await page.getByRole("radiogroup", { name: "Appearance" }).getByRole("radio", { name: "Dark" }).click();
    await until("the setting", async () => (await setting.service.get("/v1/config/theme")).value === "dark");
    const dark = (r, g, b) => r + g + b < 240;
    await until("a dark page", async () => share(decode(await page.screenshot()), dark) > 0.6);
    for (const [section, name] of [["Settings", "settings"], ["Doctor", "doctor"], ["Activity", "activity"]]) {
      await page.getByRole("navigation", { name: "Sections" }).getByRole("link", { name: section }).click();
      await page.getByRole("main", { name: section }).waitFor();
      await keep(`chromium-${name}-dark`);
    }
    await setting.cli("config", "set", "theme", "light");
    await until("a light page", async () => share(decode(await page.screenshot()), dark) < 0.3, { within: 3000 });
  });

  step("a killed service comes back under the page", async () => {
    const { pid } = await setting.service.get("/v1/service");
    const port = new URL(address).host;
    process.kill(pid, "SIGKILL");
    await page.getByText("The service does not answer").first().waitFor({ timeout: 10_000 });
    await rm(join(setting.home, "run/service.sock"), { force: true });
    const again = start(built("nestbox"), ["--json", "service", "serve", "--listen", port], { env: setting.env });
    setting.onClose(() => end(again));
    const fresh = await until("the service", () => /"browser":\s*"(http[^"]+)"/.exec(again.output)?.[1], { within: 30_000 });
    await page.goto(fresh);
    await page.getByRole("treeitem", { name: "In Chromium" }).waitFor();
  });

  step("every control has a name on every page", async () => {
    for (const hash of ["#/", "#/activity", "#/doctor", "#/settings", "#/trash"]) {
      await page.evaluate((to) => (location.hash = to), hash);
      await page.getByRole("main").waitFor();
      const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, [role=slider], [role=switch], [role=option], [role=treeitem]")]
        .filter((e) => !e.hidden && e.type !== "submit" && !(e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.length || e.textContent.trim()))
        .map((e) => e.outerHTML.slice(0, 120)));
      assert.deepEqual(nameless, [], hash);
    }
  });

  step("the page complained of nothing", () => {
    // Losing the service on purpose, above, is no complaint.
    const own = troubles.filter((text) => !/ERR_CONNECTION|WebSocket connection|401|Failed to load resource|net::/.test(text));
    assert.deepEqual(own, []);
  });
});
