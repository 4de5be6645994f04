/** Wires the pointer, wheel and keyboard of one canvas to a session. */
import { type RefObject, useEffect, useRef } from "react";
import { Keyboard } from "./keyboard";
import { toGuest, toRfbButtons, Wheel } from "./pointer";
import type { Outgoing } from "./protocol";

/** Moves are sent at most this often, in milliseconds: guests read their tablet no faster. */
const MOVE_PERIOD = 8;

export interface InputHandlers {
  send(message: Outgoing): void;
  /** Ctrl+Alt: give the keyboard back. */
  onRelease(): void;
  /** A key for this computer and not for the guest; true when it was one. */
  onHostKey(event: KeyboardEvent): boolean;
  onTyping(): void;
}

export function useInput(canvasRef: RefObject<HTMLCanvasElement | null>, handlers: InputHandlers): void {
  const latest = useRef(handlers);
  useEffect(() => {
    latest.current = handlers;
  });

  useEffect(() => {
    const canvas = canvasRef.current;
    if (!canvas) return;
    const stop = new AbortController();
    const { signal } = stop;
    const send = (message: Outgoing): void => latest.current.send(message);

    const keyboard = new Keyboard({
      key: (keysym, code, down) => send({ type: "key", keysym, code, down }),
      releaseAll: () => send({ type: "release-all" }),
      onRelease: () => latest.current.onRelease(),
    });
    canvas.addEventListener(
      "keydown",
      (event) => {
        event.preventDefault();
        event.stopPropagation();
        if (latest.current.onHostKey(event)) {
          keyboard.releaseAll();
          return;
        }
        keyboard.down(event);
        latest.current.onTyping();
      },
      { signal },
    );
    canvas.addEventListener(
      "keyup",
      (event) => {
        event.preventDefault();
        event.stopPropagation();
        keyboard.up(event);
      },
      { signal },
    );

    const wheel = new Wheel();
    let buttons = 0;
    let position = { x: 0, y: 0 };
    let lastSent = 0;
    let pending: ReturnType<typeof setTimeout> | undefined;
    const sendPointer = (mask: number): void => {
      clearTimeout(pending);
      pending = undefined;
      lastSent = performance.now();
      send({ type: "pointer", ...position, buttons: mask });
    };
    const locate = (event: MouseEvent): void => {
      position = toGuest(event.clientX, event.clientY, canvas.getBoundingClientRect(), canvas);
    };
    const move = (event: PointerEvent): void => {
      keyboard.sync(event);
      locate(event);
      const mask = toRfbButtons(event.buttons);
      const wait = MOVE_PERIOD - (performance.now() - lastSent);
      if (mask !== buttons || wait <= 0) {
        buttons = mask;
        sendPointer(mask);
      } else {
        pending ??= setTimeout(() => sendPointer(buttons), wait);
      }
    };
    canvas.addEventListener("pointermove", move, { signal });
    canvas.addEventListener(
      "pointerdown",
      (event) => {
        event.preventDefault();
        canvas.focus({ preventScroll: true });
        canvas.setPointerCapture(event.pointerId);
        move(event);
      },
      { signal },
    );
    for (const type of ["pointerup", "pointercancel"] as const) canvas.addEventListener(type, move, { signal });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        locate(event);
        for (const click of wheel.add(event)) {
          sendPointer(buttons | click);
          sendPointer(buttons);
        }
      },
      { signal, passive: false },
    );

    const letGo = (): void => {
      if (keyboard.anyHeld) keyboard.releaseAll();
      if (buttons !== 0) {
        buttons = 0;
        sendPointer(0);
      }
    };
    canvas.addEventListener("blur", letGo, { signal });
    window.addEventListener("blur", letGo, { signal });
    document.addEventListener("visibilitychange", () => document.hidden && letGo(), { signal });

    return () => {
      letGo();
      clearTimeout(pending);
      stop.abort();
    };
  }, [canvasRef]);
}
