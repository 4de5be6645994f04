/** Larger text and forced colours: nothing is cut, nothing that matters is lost. */
import assert from "node:assert/strict";
import { flowsOf, openMachine as open } from "./flow.mjs";

/** The tokens of text, twice as large, as “zoom text only” makes them. */
const TWICE = `:root {
  --t-11: 22px/32px var(--font); --t-12: 24px/32px var(--font); --t-13: 26px/40px var(--font);
  --t-14: 28px/40px var(--font); --t-16: 32px/48px var(--font); --t-20: 40px/56px var(--font);
  --t-mono: 24px/36px var(--mono);
}`;

/** Rows and controls whose text stands out above or below them. */
const clipped = (page) =>
  page.evaluate(() => {
    const found = [];
    const rows = ".machine-row, .group-row, .snapshot-row, .snapshot-now, .frame, .li, .edit-tab, .btn, .chip, .sections a, .setting, .metric, .fact";
    for (const row of document.querySelectorAll(rows)) {
      const box = row.getBoundingClientRect();
      if (box.height === 0) continue;
      const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const holder = node.parentElement;
        // What is cut after some lines on purpose, and what only screen readers see.
        if (!node.textContent.trim() || holder.closest(".clamped, .vh, .fact-note, [hidden]")) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        const text = range.getBoundingClientRect();
        if (text.height > 0 && (text.top < box.top - 1.5 || text.bottom > box.bottom + 1.5)) {
          found.push(`${row.className}: “${node.textContent.trim()}” ${Math.round(text.top - box.top)} to ${Math.round(text.bottom - box.bottom)}`);
        }
      }
    }
    return found;
  });

/** Rows of a tree that overlap. */
const overlaps = (page, selector) =>
  page.evaluate((chosen) => {
    const rows = [...document.querySelectorAll(chosen)].map((row) => row.getBoundingClientRect()).sort((a, b) => a.top - b.top);
    return rows.slice(1).filter((row, at) => row.top < rows[at].bottom - 1.5).length;
  }, selector);

export async function run(bench) {
  const flow = flowsOf(bench);

  await flow("text at 200 %: no row cuts its text, rows do not overlap", async (page) => {
    await page.addStyleTag({ content: TWICE });
    await page.getByRole("textbox", { name: "Search machines" }).fill("server");
    await open(page, "Web server");
    await page.getByRole("textbox", { name: "Search machines" }).fill("");
    await page.getByRole("tree", { name: "Snapshots" }).getByRole("treeitem", { name: "Release 2.1" }).click();
    await page.getByRole("toolbar", { name: "Actions for Release 2.1" }).waitFor();
    await page.waitForTimeout(300);
    assert.deepEqual(await clipped(page), []);
    assert.equal(await overlaps(page, ".tree-place"), 0);
    assert.equal(await overlaps(page, ".snapshot-place"), 0);
    await page.getByRole("button", { name: "Edit machine" }).click();
    await page.getByRole("tab", { name: "Snapshots" }).click();
    await page.waitForTimeout(200);
    assert.deepEqual(await clipped(page), []);
    await page.evaluate(() => (window.location.hash = "#/space"));
    await page.getByRole("table", { name: "Web server", exact: true }).waitFor();
    assert.deepEqual(await clipped(page), []);
  }, { scenario: "timeline" });

  await flow("forced colours: selection, focus, states and switches can be told", async (page) => {
    await open(page, "Web server");
    const style = (one, what, pseudo) => one.evaluate((element, [name, part]) => getComputedStyle(element, part)[name], [what, pseudo ?? null]);
    const selected = page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Web server", exact: true });
    assert.equal(await style(selected, "outlineStyle"), "solid");
    const item = page.getByRole("tree", { name: "Snapshots" }).getByRole("treeitem", { name: "Release 2.1" });
    await item.click();
    assert.equal(await style(item, "outlineStyle"), "solid");
    const stop = page.getByRole("button", { name: "Stop options" });
    await page.getByRole("button", { name: "Stop", exact: true }).focus();
    await page.keyboard.press("Tab");
    assert.equal(await stop.evaluate((one) => one === document.activeElement), true);
    assert.equal(await style(stop, "outlineStyle"), "solid");
    await page.keyboard.press("Enter");
    const first = page.getByRole("menuitem").first();
    await first.waitFor();
    const other = page.getByRole("menuitem").last();
    assert.notEqual(await style(first, "backgroundColor"), await style(other, "backgroundColor"));
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Edit machine" }).click();
    await page.getByRole("tab", { name: "Snapshots" }).click();
    const knob = page.getByRole("switch", { name: "Before each start" });
    assert.notEqual(await style(knob, "backgroundColor", "::after"), await style(knob, "backgroundColor", "::before"));
    // The marks of the states differ by shape.
    const shapes = await page.evaluate(() => new Set([...document.querySelectorAll(".machine-row .mark svg")].map((one) => one.innerHTML)).size);
    assert.ok(shapes > 3);
  }, { scenario: "timeline", forcedColors: "active" });
}
