import { type RefObject, useEffect, useRef, useState } from "react";
import { useClient } from "../../data";
import { DisplaySession, type Link } from "./session";

export interface DisplayView {
  link: Link;
  size: { width: number; height: number } | null;
  cursor: string;
  session: RefObject<DisplaySession | null>;
}

const IDLE: Link = { state: "connecting", reason: "", retryAt: null, encoding: null };

/** Keeps a session on the canvas while `enabled` (the machine has a screen). */
export function useDisplaySession(
  canvasRef: RefObject<HTMLCanvasElement | null>,
  machine: string,
  enabled: boolean,
): DisplayView {
  const client = useClient();
  const session = useRef<DisplaySession | null>(null);
  const [link, setLink] = useState<Link>(IDLE);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [cursor, setCursor] = useState("default");

  useEffect(() => {
    const canvas = canvasRef.current;
    if (!canvas || !enabled) return;
    const current = new DisplaySession({
      canvas,
      address: () => client.display(machine),
      events: {
        onLink: setLink,
        onSize: (width, height) => setSize({ width, height }),
        onCursor: setCursor,
      },
    });
    session.current = current;
    return () => {
      session.current = null;
      current.close();
      setLink(IDLE);
      setCursor("default");
    };
  }, [canvasRef, client, machine, enabled]);

  return { link, size, cursor, session };
}
