import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./styles/fonts.css";
import "./styles/tokens.css";
// Layers are declared in base.css, so it comes before any component's CSS.
import "./styles/base.css";
import "./styles/motion.css";
import { App } from "./app/app";
import { applyStoredTheme } from "./app/theme";

applyStoredTheme();

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
