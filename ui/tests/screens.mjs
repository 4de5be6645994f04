/** The screens that are pictured and checked for accessibility, each with the way to it. */
const tree = (page) => page.getByRole("tree", { name: "Machines" });
const select = (name) => async (page) => {
  await tree(page).getByRole("treeitem", { name, exact: true }).click();
  await page.getByRole("main", { name, exact: true }).waitFor();
};
const ubuntu = select("Ubuntu Desktop");
/** Selects a snapshot; in narrow windows the pane must be opened first. */
const toolchain = async (page) => {
  await ubuntu(page);
  const pane = page.getByRole("complementary", { name: "Snapshots" });
  if (!(await pane.isVisible())) await page.getByRole("button", { name: "Snapshots", exact: true }).click();
  await page.getByRole("treeitem", { name: "Toolchain ready" }).click();
};

export const SCREENS = [
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
      await page.getByRole("treeitem", { name: "Before restore" }).waitFor();
    },
    settle: 2_000,
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
