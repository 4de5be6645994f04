/** All text by key. English is the source; other languages are partial and fall back to it. */
import { IntlMessageFormat } from "intl-messageformat";
import { createElement, Fragment, type ReactNode } from "react";
import activity from "./en/activity.json";
import carry from "./en/carry.json";
import clone from "./en/clone.json";
import common from "./en/common.json";
import compare from "./en/compare.json";
import creating from "./en/creating.json";
import data from "./en/data.json";
import disks from "./en/disks.json";
import display from "./en/display.json";
import doctor from "./en/doctor.json";
import edit from "./en/edit.json";
import files from "./en/files.json";
import importing from "./en/import.json";
import machine from "./en/machine.json";
import newvm from "./en/newvm.json";
import palette from "./en/palette.json";
import settings from "./en/settings.json";
import shell from "./en/shell.json";
import snapshots from "./en/snapshots.json";
import space from "./en/space.json";
import together from "./en/together.json";
import trash from "./en/trash.json";
import welcome from "./en/welcome.json";

/** Every message of the window. */
export const en = {
  ...common,
  ...shell,
  ...welcome,
  ...machine,
  ...edit,
  ...snapshots,
  ...palette,
  ...data,
  ...newvm,
  ...creating,
  ...importing,
  ...activity,
  ...doctor,
  ...settings,
  ...trash,
  ...display,
  ...clone,
  ...compare,
  ...space,
  ...together,
  ...disks,
  ...files,
  ...carry,
};

export type MessageKey = keyof typeof en;
export type MessageValues = Record<string, string | number | Date>;
type RichValues = Record<string, string | number | ((chunks: ReactNode[]) => ReactNode)>;

const compiled = new Map<MessageKey, IntlMessageFormat>();

function message(key: MessageKey): IntlMessageFormat {
  let found = compiled.get(key);
  if (!found) {
    found = new IntlMessageFormat(en[key], language());
    compiled.set(key, found);
  }
  return found;
}

/** The language of the window. */
export function language(): string {
  return (typeof document === "undefined" ? "" : document.documentElement.lang) || "en";
}

/** The text of `key`, with ICU values filled in. */
export function t(key: MessageKey, values?: MessageValues): string {
  return String(message(key).format(values));
}

/** Parts of a message never change places, so they are spread and need no keys. */
const spread = (parts: ReactNode[], key?: string): ReactNode => createElement(Fragment, { key: key ?? null }, ...parts);

/** Like `t`, for messages with tags: `<b>…</b>` is drawn by the function `b`. */
export function rich(key: MessageKey, values: RichValues): ReactNode {
  const drawn = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === "function" ? (chunks: ReactNode[]) => value([spread(chunks, name)]) : value,
    ]),
  );
  const parts = message(key).format<ReactNode>(drawn);
  return spread(Array.isArray(parts) ? parts : [parts]);
}

const lists = new Map<string, Intl.ListFormat>();

/** `a, b and c` in the window's language. */
export function formatList(items: string[]): string {
  const locale = language();
  let format = lists.get(locale);
  if (!format) {
    format = new Intl.ListFormat(locale, { style: "long", type: "conjunction" });
    lists.set(locale, format);
  }
  return format.format(items);
}
