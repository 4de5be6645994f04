/** What flows share: a page of its own for each, and no error in the console. */
import assert from "node:assert/strict";

export const flowsOf =
  ({ url, browser, test }) =>
  (name, body, { scenario = "library", path = "/", ...options } = {}) =>
    test(name, async () => {
      const page = await browser.open(url, { name: "start", scenario, path, settle: 200 }, options);
      try {
        await body(page);
        assert.deepEqual(page.errors, [], "errors in the console");
      } finally {
        await page.context().close();
      }
    });

/** Selects a machine in the sidebar and waits for its page. */
export async function openMachine(page, name) {
  await page.getByRole("tree", { name: "Machines" }).getByRole("treeitem", { name, exact: true }).click();
  const main = page.getByRole("main", { name, exact: true });
  await main.waitFor();
  return main;
}
