// What a person does with a guest in the window, and what the guest says on its serial line meanwhile.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { isBlue, isGreen, isRed, share } from "./picture.mjs";
import { until } from "./processes.mjs";

const COLOURS = { green: isGreen, blue: isBlue, red: isRed };

/** Emulated guests on a busy computer: seconds are minutes. */
export const BOOT = { within: 300_000, every: 500 };

export class GuestSession {
  constructor(setting, machine) {
    this.setting = setting;
    this.window = setting.session;
    this.machine = machine;
  }

  /** Waits for a line of the guest on the serial log after the first `from` characters; returns the log. */
  says(pattern, { from = 0, ...options } = BOOT) {
    return until(`the guest to say ${pattern}`, async () => {
      const log = await this.setting.service.serial(this.machine);
      return pattern.test(log.slice(from)) && log;
    }, options);
  }
  async said() {
    return (await this.setting.service.serial(this.machine)).length;
  }

  /** The canvas that shows the guest. */
  canvas() {
    return this.window.get("application", `Display of ${this.machine}, press Ctrl+Alt to release the keyboard`, { within: 30_000 });
  }

  /** Waits until the guest's picture on the screen is of this colour. */
  async shows(colour, options = { within: 60_000, every: 500 }) {
    const canvas = await this.canvas();
    let seen = 0;
    await until(`a ${colour} screen`, async () => {
      const [box, screen] = [await canvas.box(), await this.setting.screen()];
      // Not the edges: the toolbar and rounded corners are there.
      const inner = { x: box.x + box.width * 0.1, y: box.y + box.height * 0.25, width: box.width * 0.8, height: box.height * 0.65 };
      seen = share(screen, COLOURS[colour], inner);
      return seen > 0.85;
    }, options).catch(async (error) => {
      error.message += ` (${Math.round(seen * 100)} % is; ${await this.setting.keepPicture(`not-${colour}`)})`;
      throw error;
    });
    const frames = Number(await canvas.attribute("data-frames"));
    assert.ok(frames > 0, "the display counts the frames it shows");
  }

  /** Types into the guest through the window. */
  async types(text) {
    await (await this.canvas()).click();
    await this.window.type(text);
  }

  async logsIn(user, password) {
    await this.types(`${user}\n`);
    await sleep(3000);
    await this.window.type(`${password}\n`);
    await sleep(3000);
  }

  /** Leaves the display: its toolbar comes when the pointer is at the top. */
  async showLibrary() {
    await this.window.point(500, 8);
    await this.window.click("button", "Show library");
    await this.window.get("complementary", "Sidebar");
  }

  async openDisplay() {
    const { window, machine } = this;
    await window.click("treeitem", machine);
    await window.click("button", "Open display", { scope: await window.get("main", machine) });
    await this.canvas();
  }
}
