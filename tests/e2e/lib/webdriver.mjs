// A WebDriver session by plain HTTP (W3C WebDriver), with elements found as people find them: by role and name.
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "./processes.mjs";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

/** Keys by the code points that WebDriver gives them. */
export const Key = {
  Enter: "\uE007", Escape: "\uE00C", Tab: "\uE004", Space: "\uE00D", Backspace: "\uE003", Delete: "\uE017",
  ArrowUp: "\uE013", ArrowDown: "\uE015", ArrowLeft: "\uE012", ArrowRight: "\uE014", Home: "\uE011", End: "\uE010",
  Control: "\uE009", Shift: "\uE008", Alt: "\uE00A",
};

// Runs in the page. Candidates of a role whose name looks right; the driver's own computed role and label decide.
const CANDIDATES = String.raw`
  const [role, name, scope] = arguments;
  const implicit = {
    button: "button, input[type=button], input[type=submit], summary", link: "a[href]", textbox: "input:not([type]), input[type=text], input[type=search], input[type=password], textarea",
    searchbox: "input[type=search]", heading: "h1, h2, h3, h4", main: "main", navigation: "nav", complementary: "aside", dialog: "dialog", list: "ul, ol", listitem: "li",
    checkbox: "input[type=checkbox]", switch: "input[type=checkbox]", radio: "input[type=radio]", slider: "input[type=range]", img: "img, svg", table: "table", progressbar: "progress",
    combobox: "select", option: "option", region: "section", article: "article", form: "form",
  };
  const selector = "[role~='" + role + "']" + (implicit[role] ? ", " + implicit[role] : "");
  const squeeze = (text) => (text || "").replace(/\s+/g, " ").trim();
  const named = (element) => {
    const ids = element.getAttribute("aria-labelledby");
    if (ids) return squeeze(ids.split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" "));
    const label = element.getAttribute("aria-label");
    if (label) return squeeze(label);
    if (element.labels && element.labels.length) return squeeze([...element.labels].map((l) => l.textContent).join(" "));
    return squeeze(element.textContent) || squeeze(element.getAttribute("alt") || element.getAttribute("title") || element.getAttribute("placeholder"));
  };
  const shown = (element) => {
    if (element.closest("[inert], [hidden], [aria-hidden=true]")) return false;
    const box = element.getBoundingClientRect();
    if (box.width > 1 && box.height > 1) return getComputedStyle(element).visibility !== "hidden";
    // A visually hidden native control (radio, checkbox, slider) stands for its visible label.
    return element.matches("input") && Boolean(element.closest("label"));
  };
  const all = [...(scope || document).querySelectorAll(selector)].filter(shown);
  const exact = name === null ? all : all.filter((element) => named(element) === name);
  return exact.length ? exact : all.slice(0, 150);
`;

export class Session {
  constructor(base, id, defaults = {}) {
    this.base = base;
    this.id = id;
    this.patience = defaults.patience ?? 10_000;
  }

  static async open(base, capabilities, defaults) {
    const value = await call("POST", `${base}/session`, { capabilities: { alwaysMatch: capabilities } });
    return new Session(base, value.sessionId, defaults);
  }

  command(method, path, body) {
    return call(method, `${this.base}/session/${this.id}${path}`, body);
  }

  close() {
    return this.command("DELETE", "").catch(() => {});
  }

  /** Runs a function body in the page. */
  run(script, ...args) {
    return this.command("POST", "/execute/sync", { script, args: args.map((a) => (a instanceof Element ? a.wire : a)) });
  }

  /** Every element of `role` (and exactly `name`, when given) that can be seen now, below `scope`. */
  async all(role, name = null, scope = undefined) {
    const found = await this.run(CANDIDATES, role, name, scope ?? null);
    const right = [];
    for (const wire of found) {
      const element = new Element(this, wire[ELEMENT], `${role} “${name ?? ""}”`);
      try {
        if (name !== null && (await element.label()) !== name) continue;
        if ((await element.role()) !== role) continue;
      } catch (error) {
        if (/stale|no such element/.test(error.code ?? "")) continue;
        throw error;
      }
      right.push(element);
      if (name !== null && right.length > 1) break;
    }
    return right;
  }

  /** The one element of `role` and `name`; waits for it. */
  async get(role, name, { scope, within = this.patience } = {}) {
    try {
      return await until(`${role} “${name}”`, async () => (await this.all(role, name, scope))[0], { within });
    } catch (error) {
      error.message += `\n${await this.outline().catch(() => "")}`;
      throw error;
    }
  }

  /** Waits until there is no such element. */
  gone(role, name, { scope, within = this.patience } = {}) {
    return until(`${role} “${name}” to go`, async () => (await this.all(role, name, scope)).length === 0, { within });
  }

  async click(role, name, options) {
    // React may replace the element between finding and clicking it.
    return until(`a click on ${role} “${name}”`, async () => {
      const element = await this.get(role, name, options);
      await element.click();
      return element;
    }, { within: options?.within ?? this.patience });
  }

  /** Presses keys wherever the focus is: text, or names of `Key`; "Control+k" holds the first while pressing the second. */
  async press(...keys) {
    const actions = [];
    for (const key of keys) {
      const words = key.length > 1 && key.includes("+") ? key.split("+") : [key];
      const values = words.map((word) => Key[word] ?? word);
      for (const value of values) actions.push({ type: "keyDown", value });
      for (const value of values.reverse()) actions.push({ type: "keyUp", value });
    }
    await this.command("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
  }

  /** Moves the pointer to a point of the page. */
  async point(x, y) {
    const actions = [{ type: "pointerMove", duration: 50, x, y: y + 20 }, { type: "pointerMove", duration: 50, x, y }];
    await this.command("POST", "/actions", { actions: [{ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions }] });
  }

  /** Types text key by key, at a speed that a guest under emulation follows. */
  async type(text, pause = 30) {
    for (const character of text) {
      await this.press(character === "\n" ? "Enter" : character);
      await sleep(pause);
    }
  }

  /** Roles and names in the page, for messages. */
  outline() {
    return this.run(String.raw`
      return [...document.querySelectorAll("main, aside, dialog, button, a[href], input, h1, h2, [role]")]
        .filter((e) => e.getBoundingClientRect().width && !e.closest("[inert]")).slice(0, 120)
        .map((e) => "  " + (e.getAttribute("role") || e.tagName.toLowerCase()) + " “" + (e.getAttribute("aria-label") || e.textContent || "").replace(/\s+/g, " ").trim().slice(0, 60) + "”")
        .join("\n");`);
  }
}

export class Element {
  constructor(session, id, what) {
    this.session = session;
    this.id = id;
    this.what = what;
  }
  get wire() {
    return { [ELEMENT]: this.id };
  }
  toJSON() {
    return this.wire;
  }
  command(method, path, body) {
    return this.session.command(method, `/element/${this.id}${path}`, body);
  }
  role() {
    return this.command("GET", "/computedrole");
  }
  label() {
    return this.command("GET", "/computedlabel");
  }
  async click() {
    // A visually hidden control is clicked through its label, as a pointer would.
    const hidden = await this.session.run("const b = arguments[0].getBoundingClientRect(); return b.width <= 1 || b.height <= 1", this);
    if (!hidden) return this.command("POST", "/click", {});
    return this.session.run("arguments[0].closest('label').click()", this);
  }
  text() {
    return this.command("GET", "/text");
  }
  attribute(name) {
    return this.command("GET", `/attribute/${name}`);
  }
  box() {
    return this.session.run("const b = arguments[0].getBoundingClientRect(); return { x: b.x, y: b.y, width: b.width, height: b.height }", this);
  }
  focus() {
    return this.session.run("arguments[0].focus()", this);
  }
  /** Replaces the content of a field. */
  async fill(text) {
    await this.click();
    await this.session.press("Control+a");
    await this.command("POST", "/value", { text });
  }
}

async function call(method, url, body) {
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    body: method === "POST" ? JSON.stringify(body ?? {}) : undefined,
    signal: AbortSignal.timeout(60_000),
  });
  const { value } = await response.json();
  if (response.ok) return value;
  const error = new Error(`${value?.error}: ${value?.message || method + " " + url}`);
  error.code = value?.error;
  throw error;
}
