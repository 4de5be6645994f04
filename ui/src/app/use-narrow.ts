import { useSyncExternalStore } from "react";

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (listener) => {
      const list = window.matchMedia(query);
      list.addEventListener("change", listener);
      return () => list.removeEventListener("change", listener);
    },
    () => window.matchMedia(query).matches,
  );
}

/** The inspector lies over the page. */
export const useNarrow = (): boolean => useMedia("(max-width: 1119px)");
/** The sidebar is a rail of thumbnails. */
export const useRail = (): boolean => useMedia("(max-width: 919px)");
/** This computer's own wish for dark. */
export const usePrefersDark = (): boolean => useMedia("(prefers-color-scheme: dark)");
