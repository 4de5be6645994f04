/** No raw colour, duration, type size or layer outside tokens.css: CSS and inline styles use tokens. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(root, { recursive: true });
const RULES = [
  [/#[0-9a-f]{3,8}\b(?![\w-])/i, "raw colour"],
  [/\b(rgba?|hsla?|oklch|oklab)\(/i, "raw colour"],
  [/(?<![\w.-])\d*\.?\d+m?s\b/, "raw duration"],
  [/\bfont(-size)?:[^;]*\b\d+px/, "raw type size"],
  [/\bz-index:\s*\d{2,}/, "raw layer"],
];
let bad = 0;
const strip = (text) => text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "));
for (const name of files.map(String).sort()) {
  const css = name.endsWith(".css");
  if (!(css || name.endsWith(".tsx")) || name === "styles/tokens.css" || name === "styles/fonts.css" || name.includes(".test.")) continue;
  const lines = strip(readFileSync(root + name, "utf8")).split("\n");
  lines.forEach((line, index) => {
    for (const [pattern, what] of css ? RULES : RULES.slice(0, 2)) {
      const found = line.match(pattern);
      if (!found || /url\(#|"#\/|href="#|`#|selector|querySelector/.test(line)) continue;
      if (css && what === "raw duration" && /^\s*(animation|transition)?.*\b0m?s\b/.test(line) && found[0].startsWith("0")) continue;
      console.error(`src/${name}:${index + 1}: ${what} ${found[0]}: use a token of styles/tokens.css`);
      bad += 1;
    }
  });
}
if (bad > 0) process.exit(1);
console.log("styles: tokens only");
