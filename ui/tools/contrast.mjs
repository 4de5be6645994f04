/** Contrast of every pair of tokens that components put on each other, in both themes (WCAG 2.2, 1.4.3 and 1.4.11). */
import { readFileSync } from "node:fs";

const css = readFileSync(new URL("../src/styles/tokens.css", import.meta.url), "utf8");
const grab = (text) => Object.fromEntries([...text.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})\b/gi)].map((m) => [m[1], m[2]]));
const dark = css.indexOf(':root[data-theme="dark"]');
const rest = css.indexOf("@media");
const themes = { light: grab(css.slice(0, dark)) };
themes.dark = { ...themes.light, ...grab(css.slice(dark, rest)) };

const luminance = (hex) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ratio = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

const surfaces = ["bg-window", "bg-surface", "bg-raised", "bg-sunken"];
const pairs = [];
const add = (fronts, backs, least) => fronts.forEach((front) => backs.forEach((back) => pairs.push([front, back, least])));
add(["text", "text-2", "text-3"], [...surfaces, "bg-hover", "bg-selected", "bg-selected-muted"], 4.5);
add(["accent-text"], [...surfaces, "accent-soft", "bg-hover", "bg-selected"], 4.5);
for (const state of ["ok", "warn", "danger", "saved"]) {
  add([`${state}-text`], [...surfaces, `${state}-soft`, "bg-hover", "bg-selected"], 4.5);
}
add(["text", "text-2"], ["ok-soft", "warn-soft", "danger-soft", "saved-soft", "accent-soft"], 4.5);
add(["text-on-accent"], ["accent", "accent-hover", "danger-fill"], 4.5);
add(["text-on-accent"], ["accent-press"], 3);
add(["text-on-accent"], ["tile-1", "tile-2", "tile-3", "tile-4", "tile-5", "tile-6", "tile-7"], 4.5);
add(["text-on-well"], ["bg-well"], 4.5);
add(["glass-text", "glass-text-2"], ["glass-solid", "glass-raised", "toast"], 4.5);
add(["glass-accent", "glass-ok", "glass-warn", "glass-focus"], ["toast", "glass-solid"], 3);
add(["focus", "line-control", "off", "accent", "ok", "danger", "saved", "s-cpu", "s-mem", "s-disk", "s-net"], surfaces, 3);

let bad = 0;
let lowest = Infinity;
for (const [theme, tokens] of Object.entries(themes)) {
  for (const [front, back, least] of pairs) {
    const value = ratio(tokens[front], tokens[back]);
    if (least === 4.5) lowest = Math.min(lowest, value);
    if (value >= least) continue;
    bad += 1;
    console.error(`${theme}: --${front} on --${back} is ${value.toFixed(2)}, needs ${least}`);
  }
}
console.log(`contrast: ${pairs.length * 2} pairs, ${bad} failures, lowest text ratio ${lowest.toFixed(2)}`);
process.exit(bad > 0 ? 1 : 0);
