import { type RefObject, useCallback, useEffect, useRef, useState } from "react";

/** Height of the strip at the top that brings the toolbar, CSS pixels. */
const STRIP = 56;
/** It goes this long after the pointer left the strip or typing began, in milliseconds. */
const LINGER = 1_500;
/** At first it stays longer, so that it is seen. */
const GREETING = 4_000;

export interface ToolbarVisibility {
  visible: boolean;
  show: () => void;
  onTyping: () => void;
}

/**
 * When the toolbar shows: the pointer is in the top strip, the keyboard is in it, or `pinned` (a menu is open,
 * there is no picture). It hides a moment after the reason is gone.
 */
export function useToolbar(
  stage: RefObject<HTMLElement | null>,
  toolbar: RefObject<HTMLElement | null>,
  pinned: boolean,
): ToolbarVisibility {
  const [shown, setShown] = useState(true);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const inStrip = useRef(false);

  const hideAfter = useCallback((wait: number) => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setShown(false), wait);
  }, []);
  const show = useCallback(() => {
    clearTimeout(timer.current);
    setShown(true);
  }, []);

  useEffect(() => {
    hideAfter(GREETING);
    return () => clearTimeout(timer.current);
  }, [hideAfter]);

  useEffect(() => {
    const element = stage.current;
    if (!element) return;
    const stop = new AbortController();
    const { signal } = stop;
    element.addEventListener(
      "pointermove",
      (event) => {
        // A drag inside the guest is the guest's.
        if (event.buttons !== 0) return;
        const now = event.clientY - element.getBoundingClientRect().top < STRIP;
        if (now && !inStrip.current) show();
        if (!now && inStrip.current) hideAfter(LINGER);
        inStrip.current = now;
      },
      { signal },
    );
    element.addEventListener(
      "pointerleave",
      () => {
        inStrip.current = false;
        hideAfter(LINGER);
      },
      { signal },
    );
    const bar = toolbar.current;
    bar?.addEventListener("focusin", show, { signal });
    bar?.addEventListener(
      "focusout",
      (event) => {
        if (!bar.contains(event.relatedTarget as Node | null) && !inStrip.current) hideAfter(LINGER);
      },
      { signal },
    );
    return () => stop.abort();
  }, [stage, toolbar, show, hideAfter]);

  const onTyping = useCallback(() => {
    inStrip.current = false;
    hideAfter(LINGER);
  }, [hideAfter]);

  const focused = (): boolean => toolbar.current?.matches(":has(:focus-visible)") ?? false;
  return { visible: shown || pinned || focused(), show, onTyping };
}
