// The order of layers must be known before any component brings its CSS.
import "./styles/layers.css";
import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/motion.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/app";
import { goHome } from "./app/home";
import { applyStoredTheme } from "./app/theme";
import { createDataSource, keys, type Machine, readAhead } from "./data";
import { platform } from "./platform";

/** Longest wait for the machines before the window is drawn without them, in milliseconds. */
const FIRST_DATA = 150;

applyStoredTheme();
// A font is fetched when the first text in it is laid out, and text waits for it: fetched now, it is there by then.
void document.fonts.load('1em "Inter Variable"');
const source = createDataSource(platform);

function draw(root: HTMLElement): void {
  const machines = source.queries.getQueryData<Machine[]>(keys.machines);
  if (machines) goHome(machines);
  createRoot(root).render(
    <StrictMode>
      <App source={source} />
    </StrictMode>,
  );
}

// A service that runs answers sooner than React draws: with the machines there, the window is drawn once, not twice.
const root = document.getElementById("root");
const tooLong = new Promise<void>((resolve) => setTimeout(resolve, FIRST_DATA));
if (root) void Promise.race([readAhead(source), tooLong]).then(() => draw(root));
