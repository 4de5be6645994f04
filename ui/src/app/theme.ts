import { useEffect } from "react";
import { useConfig } from "../data";
import { platform } from "../platform";
import { usePrefersDark } from "./use-narrow";

export type ThemeChoice = "system" | "light" | "dark";

const KEY = "nestbox.theme";
const isChoice = (value: unknown): value is ThemeChoice => value === "system" || value === "light" || value === "dark";

function read(): ThemeChoice {
  try {
    const value = localStorage.getItem(KEY);
    return isChoice(value) ? value : "system";
  } catch {
    return "system";
  }
}

function apply(choice: ThemeChoice, systemDark: boolean): void {
  const dark = choice === "dark" || (choice === "system" && systemDark);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
}

/** Before the first paint: what was chosen last time. */
export function applyStoredTheme(): void {
  apply(read(), window.matchMedia("(prefers-color-scheme: dark)").matches);
  if (!platform.facts.gpu) document.documentElement.dataset.motion = "off";
}

/** Keeps the colours as the setting says, and remembers them for the next start. */
export function useTheme(): void {
  const systemDark = usePrefersDark();
  const wanted = useConfig().data?.theme;
  const choice = isChoice(wanted) ? wanted : read();
  useEffect(() => {
    apply(choice, systemDark);
    platform.setTheme(choice === "system" ? null : choice);
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // No storage: the service keeps it.
    }
  }, [choice, systemDark]);
}
