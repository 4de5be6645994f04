import { ChevronDown, CircleAlert, CircleCheck, Copy, Info, Lock, type LucideIcon, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { CODE_UNREACHABLE, type ErrorInfo } from "../data";
import { t } from "../i18n";
import { IconButton } from "./button";
import "./feedback.css";
import { hintText } from "./hints";
import { Icon } from "./icon";

type Tone = "plain" | "info" | "ok" | "warn" | "bad" | "locked";
const TONES: Record<Tone, LucideIcon> = {
  plain: Info,
  info: Info,
  ok: CircleCheck,
  warn: TriangleAlert,
  bad: CircleAlert,
  locked: Lock,
};

interface NoteProps {
  tone?: Tone;
  icon?: LucideIcon;
  id?: string;
  children: ReactNode;
}

/** A remark where it matters. */
export function Note({ tone = "plain", icon, id, children }: NoteProps) {
  return (
    <div className={`note ${tone}`} id={id}>
      <Icon icon={icon ?? TONES[tone]} />
      <div className="grow">{children}</div>
    </div>
  );
}

interface ProgressProps {
  label: string;
  /** 0 to 1, or null when it can't be known. */
  value: number | null;
  tall?: boolean;
  tone?: "accent" | "ok";
}

/** A progress bar. */
export function Progress({ label, value, tall, tone = "accent" }: ProgressProps) {
  const percent = value === null ? undefined : Math.round(Math.max(0, Math.min(1, value)) * 100);
  return (
    <div
      className={`progress ${tall ? "tall" : ""} ${tone} ${percent === undefined ? "unknown" : ""}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent}
    >
      <i style={{ inlineSize: percent === undefined ? undefined : `${percent}%` }} />
    </div>
  );
}

/** A progress ring for small places; decorative, the number is near. */
export function Ring({ value }: { value: number | null }) {
  const around = 37.7;
  return (
    <svg className={value === null ? "ring unknown" : "ring"} viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6" className="ring-track" />
      <circle cx="8" cy="8" r="6" className="ring-value" strokeDasharray={`${around * (value ?? 0.3)} ${around}`} />
    </svg>
  );
}

/** Words for an error whose text the service did not give. */
export function errorText(error: Pick<ErrorInfo, "code" | "message" | "hint">): { message: string; hint: string } {
  if (error.code === CODE_UNREACHABLE) return { message: t("error.unreachable"), hint: t("error.unreachableHint") };
  return { message: error.message || t("error.unknown"), hint: hintText(error) };
}

interface ErrorCardProps {
  /** What did not work: `web didn’t start`. Also the article's name. */
  title: string;
  error: Pick<ErrorInfo, "code" | "message" | "hint"> & { details?: Record<string, unknown> };
  /** Says whether data is safe; drawn as “What happened”. */
  safety?: string;
  actions?: ReactNode;
  onCopy?: (text: string) => void;
  /** Level of the heading: 3 inside a section with its own, 2 right under the page's title. */
  level?: 2 | 3;
}

const asLine = ([key, value]: [string, unknown]): string =>
  `${key}: ${typeof value === "string" ? value : JSON.stringify(value)}`;

/** What happened, why, what to do, buttons, and the exact words one click away. */
export function ErrorCard({ title, error, safety, actions, onCopy, level = 3 }: ErrorCardProps) {
  const Heading = `h${level}` as const;
  const { message, hint } = errorText(error);
  const technical = [error.code, ...Object.entries(error.details ?? {}).map(asLine)].join("\n");
  return (
    <article className="card error-card" aria-label={title}>
      <div className="error-main">
        <span className="danger-text error-icon">
          <Icon icon={CircleAlert} />
        </span>
        <div className="grow">
          <Heading className="title">{title}</Heading>
          <dl className="error-facts">
            {safety ? (
              <>
                <dt>{t("error.whatHappened")}</dt>
                <dd>{safety}</dd>
              </>
            ) : null}
            <dt>{t("error.why")}</dt>
            <dd>{message}</dd>
            {hint ? (
              <>
                <dt>{t("error.whatToDo")}</dt>
                <dd className="error-todo">{hint}</dd>
              </>
            ) : null}
          </dl>
          {actions ? <div className="row error-actions">{actions}</div> : null}
        </div>
      </div>
      <details className="error-details">
        <summary>
          <Icon icon={ChevronDown} size={14} />
          {t("common.technicalDetails")}
        </summary>
        <pre className="mono t2 selectable">{technical}</pre>
        {onCopy ? (
          <IconButton
            icon={Copy}
            iconSize={14}
            label={t("common.copyDetails")}
            className="error-copy"
            onPress={() => onCopy(technical)}
          />
        ) : null}
      </details>
    </article>
  );
}

/** Two letters on a coloured tile: a system, without anyone's logo. */
export function Tile({ glyph, family, small }: { glyph: string; family: string; small?: boolean }) {
  let hash = 0;
  for (const letter of family) hash = (hash * 31 + letter.charCodeAt(0)) % 997;
  const known: Record<string, number> = { ubuntu: 1, debian: 2, fedora: 3, alpine: 4, opensuse: 5, arch: 3 };
  const tile = known[family] ?? (hash % 7) + 1;
  return (
    <span className={small ? "tile small" : "tile"} style={{ background: `var(--tile-${tile})` }} aria-hidden="true">
      {glyph}
    </span>
  );
}
