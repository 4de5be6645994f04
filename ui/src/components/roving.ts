import { type KeyboardEvent, useCallback } from "react";

/** Arrow keys, Home and End inside one composite: moves focus between elements matching `selector`. */
export function useRoving(selector: string, orientation: "horizontal" | "vertical" | "both" = "both") {
  return useCallback(
    (event: KeyboardEvent<HTMLElement>) => {
      const rtl = document.documentElement.dir === "rtl";
      const next = new Set<string>();
      const previous = new Set<string>();
      if (orientation !== "vertical") {
        next.add(rtl ? "ArrowLeft" : "ArrowRight");
        previous.add(rtl ? "ArrowRight" : "ArrowLeft");
      }
      if (orientation !== "horizontal") {
        next.add("ArrowDown");
        previous.add("ArrowUp");
      }
      const items = Array.from(event.currentTarget.querySelectorAll<HTMLElement>(selector));
      const at = items.indexOf(document.activeElement as HTMLElement);
      if (at < 0 || items.length === 0) return;
      let to = at;
      if (next.has(event.key)) to = (at + 1) % items.length;
      else if (previous.has(event.key)) to = (at - 1 + items.length) % items.length;
      else if (event.key === "Home") to = 0;
      else if (event.key === "End") to = items.length - 1;
      else return;
      event.preventDefault();
      items[to]?.focus();
      if (items[to]?.getAttribute("role") === "radio") items[to]?.click();
    },
    [orientation, selector],
  );
}
