import { CircleAlert, CircleCheck, Info, type LucideIcon, RotateCcw, Undo2, X } from "lucide-react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { t } from "../i18n";
import { Button, IconButton } from "./button";
import { Icon } from "./icon";
import "./toasts.css";

export interface ToastOptions {
  title: string;
  detail?: string | undefined;
  tone?: "done" | "info" | "error" | "restored";
  /** Shown as “Undo” unless `actionLabel` names it. */
  onUndo?: () => void;
  actionLabel?: string;
  /** It stays until it is dismissed or replaced: the thing goes on. */
  lasting?: boolean;
  /** A toast about the same thing replaces the older one. */
  key?: string;
  /** Called once when the toast goes without Undo: for acts that wait until then. */
  onGone?: () => void;
}

interface Toast extends ToastOptions {
  id: number;
}

const ICONS: Record<NonNullable<ToastOptions["tone"]>, LucideIcon> = {
  done: CircleCheck,
  info: Info,
  error: CircleAlert,
  restored: RotateCcw,
};

/** How long a toast stays, in milliseconds; `--d-toast` is the same. */
const LIFE = 10_000;
const AT_MOST = 3;

let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();
const publish = (next: Toast[]) => {
  toasts = next;
  for (const listener of listeners) listener();
};

/** Shows a toast for ten seconds. Not for errors that need an answer: those are cards. */
export function toast(options: ToastOptions): () => void {
  const id = nextId++;
  const others = options.key ? toasts.filter((other) => other.key !== options.key) : toasts;
  const next = [...others, { ...options, id }].slice(-AT_MOST);
  const gone = toasts.filter((other) => !next.includes(other));
  publish(next);
  for (const one of gone) one.onGone?.();
  return () => dismissToast(id);
}

/** Takes a toast away; what waited for its end happens, unless it was undone. */
export function dismissToast(id: number, undone = false): void {
  const found = toasts.find((other) => other.id === id);
  if (!found) return;
  publish(toasts.filter((other) => other.id !== id));
  if (undone) found.onUndo?.();
  else found.onGone?.();
}

/** Presses Undo of the newest toast that has one (no other action is an Undo); false when there is none. */
export function undoLatest(): boolean {
  const found = [...toasts].reverse().find((one) => one.onUndo && !one.actionLabel);
  if (!found) return false;
  dismissToast(found.id, true);
  return true;
}

function ToastCard({ item }: { item: Toast }) {
  const [held, setHeld] = useState(false);
  const left = useRef(LIFE);
  useEffect(() => {
    if (held || item.lasting) return;
    const since = Date.now();
    const timer = setTimeout(() => dismissToast(item.id), left.current);
    return () => {
      clearTimeout(timer);
      left.current = Math.max(1_000, left.current - (Date.now() - since));
    };
  }, [held, item.id, item.lasting]);
  return (
    <div
      className={`toast ${held ? "held" : ""} ${item.tone ?? "done"}`}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      <span className="toast-icon">
        <Icon icon={ICONS[item.tone ?? "done"]} />
      </span>
      <div className="grow">
        <div className="medium">{item.title}</div>
        {item.detail ? <div className="toast-detail">{item.detail}</div> : null}
      </div>
      {item.onUndo ? (
        <Button
          {...(item.actionLabel ? {} : { icon: Undo2 })}
          className="toast-button"
          onPress={() => dismissToast(item.id, true)}
        >
          {item.actionLabel ?? t("common.undo")}
        </Button>
      ) : null}
      <IconButton
        icon={X}
        iconSize={14}
        label={t("common.dismiss")}
        className="toast-dismiss"
        onPress={() => dismissToast(item.id)}
      />
      {item.lasting ? null : <span className="toast-life" />}
    </div>
  );
}

/** The place of toasts: one polite live region that modals do not hide. */
export function ToastRegion() {
  const items = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite" data-react-aria-top-layer="true">
      {items.map((item) => (
        <ToastCard key={item.id} item={item} />
      ))}
    </div>
  );
}
