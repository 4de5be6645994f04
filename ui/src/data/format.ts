/**
 * Numbers for people, by `Intl`, in the language of the document. Sizes count in powers of 1024 and are
 * written with the short units people know (GB), everywhere the same.
 */

const STEP = 1024;
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
type Unit = (typeof UNITS)[number];

export const MIB = STEP ** 2;
export const GIB = STEP ** 3;

/** The window's language, with this computer's region where it has one for it: en-GB writes 14:02, en-US 2:02 PM. */
function language(): string {
  if (typeof document === "undefined") return "en";
  const lang = document.documentElement.lang || "en";
  return navigator.languages.find((one) => one.split("-")[0] === lang.split("-")[0]) ?? lang;
}

const cache = new Map<string, Intl.NumberFormat>();
function numberFormat(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options);
  let format = cache.get(key);
  if (!format) {
    format = new Intl.NumberFormat(locale, options);
    cache.set(key, format);
  }
  return format;
}

/** The unit in which `bytes` has at most three digits before the point. */
function unitOf(bytes: number): { unit: Unit; scale: number } {
  let index = 0;
  while (index < UNITS.length - 1 && Math.round(bytes / STEP ** index) >= 1000) index += 1;
  return { unit: UNITS[index] ?? "byte", scale: STEP ** index };
}

const digits = (value: number): number => (value >= 99.95 ? 0 : 1);

const finite = (value: number): number => (Number.isFinite(value) && value > 0 ? value : 0);

/** `632 MB`, `6.2 GB`, `40 GB`. */
export function formatBytes(bytes: number, locale = language()): string {
  const { unit, scale } = unitOf(finite(bytes));
  const value = finite(bytes) / scale;
  return numberFormat(locale, {
    style: "unit",
    unit,
    unitDisplay: unit === "byte" ? "long" : "short",
    maximumFractionDigits: unit === "byte" ? 0 : digits(value),
  }).format(value);
}

/** Both numbers in the unit of the second; only the second says it: `392`, `632 MB`. */
export function formatBytesOf(done: number, total: number, locale = language()): { done: string; total: string } {
  const { unit, scale } = unitOf(finite(total));
  const value = Math.min(finite(done), finite(total)) / scale;
  return {
    done: numberFormat(locale, { maximumFractionDigits: unit === "byte" ? 0 : digits(value) }).format(value),
    total: formatBytes(total, locale),
  };
}

/** `18.4 MB/s`. */
export function formatRate(bytesPerSecond: number, locale = language()): string {
  const { unit, scale } = unitOf(finite(bytesPerSecond));
  const value = finite(bytesPerSecond) / scale;
  return numberFormat(locale, {
    style: "unit",
    unit: `${unit}-per-second`,
    unitDisplay: "short",
    maximumFractionDigits: unit === "byte" ? 0 : digits(value),
  }).format(value);
}

/** `62%`. */
export const formatPercent = (fraction: number, locale = language()): string =>
  numberFormat(locale, { style: "percent", maximumFractionDigits: 0 }).format(Math.max(0, Math.min(1, fraction)));

export const formatNumber = (value: number, maximumFractionDigits = 1, locale = language()): string =>
  numberFormat(locale, { maximumFractionDigits }).format(value);

/** `4` and `GB` apart, for sliders where the number is set in bold. */
export function splitBytes(bytes: number, locale = language()): { value: string; unit: string } {
  const { unit, scale } = unitOf(finite(bytes));
  const value = finite(bytes) / scale;
  const parts = numberFormat(locale, {
    style: "unit",
    unit,
    unitDisplay: "short",
    maximumFractionDigits: digits(value),
  }).formatToParts(value);
  return {
    value: parts.filter((part) => part.type !== "unit" && part.type !== "literal").map((part) => part.value).join(""),
    unit: parts.find((part) => part.type === "unit")?.value ?? "",
  };
}

const startOfDay = (time: Date): number => new Date(time.getFullYear(), time.getMonth(), time.getDate()).getTime();
const DAY = 86_400_000;

/** Whole days between two moments by this computer's calendar: 0 today, 1 yesterday. */
export const daysAgo = (then: Date, now: Date): number => Math.round((startOfDay(now) - startOfDay(then)) / DAY);

/** `14:02` today, `Yesterday 19:20`-like words otherwise by `Intl`, a date when older. */
export function formatMoment(iso: string, now = new Date(), locale = language()): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return "";
  const time = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" }).format(then);
  const days = daysAgo(then, now);
  if (days === 0) return time;
  if (days === 1) {
    const word = new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-1, "day");
    return `${word.charAt(0).toLocaleUpperCase(locale)}${word.slice(1)} ${time}`;
  }
  const date = new Intl.DateTimeFormat(locale, {
    day: "numeric",
    month: "short",
    ...(then.getFullYear() === now.getFullYear() ? {} : { year: "numeric" }),
  }).format(then);
  return `${date} ${time}`;
}

export const formatDate = (iso: string | Date, locale = language()): string =>
  new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" }).format(new Date(iso));

/** Seconds between two RFC 3339 times, or null. */
export function secondsBetween(from: string, to: string | null): number | null {
  if (!to) return null;
  const seconds = (new Date(to).getTime() - new Date(from).getTime()) / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

export const formatSeconds = (seconds: number, locale = language()): string =>
  numberFormat(locale, {
    style: "unit",
    unit: "second",
    unitDisplay: "narrow",
    maximumFractionDigits: seconds < 10 ? 1 : 0,
  }).format(seconds);
