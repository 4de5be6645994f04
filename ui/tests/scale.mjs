/** Ten thousand machines, a thousand snapshots: only what is in view exists, and the keyboard reaches the rest. */
import assert from "node:assert/strict";

/** Rows drawn at most: those in view and some beside them. */
const ROWS_MAX = 60;

/** Scrolls an element and says how long frames took, for people to read: a busy computer is no failure. */
const frames = (page, selector, step) =>
  page.evaluate(
    async ([chosen, by]) => {
      const box = document.querySelector(chosen);
      let last = performance.now();
      const times = [];
      for (let i = 0; i < 60; i += 1) {
        box.scrollTop += by;
        await new Promise((done) => requestAnimationFrame(done));
        const now = performance.now();
        if (i > 4) times.push(now - last);
        last = now;
      }
      times.sort((a, b) => a - b);
      const [median, slow] = [0.5, 0.9].map((share) => Math.round(times[Math.floor(times.length * share)]));
      return `frames while scrolling: median ${median} ms, 90 % within ${slow} ms`;
    },
    [selector, step],
  );

export async function run({ url, browser, test }) {
  await test("scale: 10,000 machines", async () => {
    const page = await browser.open(url, { name: "many", scenario: "many" }, {});
    try {
      const tree = page.getByRole("tree", { name: "Machines" });
      await tree.waitFor();
      assert.ok((await tree.getByRole("treeitem").count()) < ROWS_MAX, "only rows in view exist");
      console.log(`      ${await frames(page, ".tree-scroll", 400)}`);
      assert.ok((await tree.getByRole("treeitem").count()) < ROWS_MAX, "only rows in view exist after scrolling");
      const started = Date.now();
      await page.getByRole("textbox", { name: "Search machines" }).fill("Machine 9999");
      await tree.getByRole("treeitem", { name: "Machine 9999" }).waitFor();
      console.log(`      search: ${Date.now() - started} ms`);
      await page.getByRole("textbox", { name: "Search machines" }).fill("");
      await tree.getByRole("treeitem").nth(2).click();
      await page.keyboard.press("End");
      await page.waitForFunction(() => document.activeElement?.getAttribute("role") === "treeitem");
      assert.deepEqual(page.errors, []);
    } finally {
      await page.context().close();
    }
  });

  await test("scale: 1,000 snapshots, in the tree and in the timeline", async () => {
    const page = await browser.open(url, { name: "many-snapshots", scenario: "many-snapshots" }, {});
    try {
      await page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name: "Ubuntu Desktop" }).click();
      const tree = page.getByRole("tree", { name: "Snapshots" });
      await tree.getByRole("treeitem", { name: "Point 999", exact: true }).waitFor();
      const bounded = async () => {
        assert.ok((await tree.getByRole("treeitem").count()) < ROWS_MAX, "only rows in view exist");
        assert.ok((await page.getByRole("list", { name: "Timeline" }).getByRole("button").count()) < ROWS_MAX, "only pictures in view exist");
        assert.ok((await tree.evaluate((one) => one.querySelectorAll("*").length)) < 2_500, "few nodes");
      };
      await bounded();
      console.log(`      ${await frames(page, ".snapshot-scroll", 500)}`);
      await bounded();
      await tree.getByRole("treeitem", { name: "Now", exact: true }).focus();
      await page.keyboard.press("End");
      await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Point 0");
      await page.keyboard.press("Enter");
      await page.getByRole("toolbar", { name: "Actions for Point 0" }).waitFor();
      // Each row begins where the one above ends, whatever is open.
      const gaps = await tree.evaluate((one) => {
        const rows = [...one.querySelectorAll(".snapshot-place")].map((row) => row.getBoundingClientRect()).sort((a, b) => a.top - b.top);
        return rows.slice(1).map((row, at) => Math.round(row.top - rows[at].bottom)).filter((gap) => Math.abs(gap) > 1);
      });
      // The kept tab stop may stand apart from the rows in view.
      assert.ok(gaps.length <= 1, `gaps of ${gaps} px`);
      await bounded();
      assert.deepEqual(page.errors, []);
    } finally {
      await page.context().close();
    }
  });
}
