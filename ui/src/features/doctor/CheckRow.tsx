import { CircleAlert, CircleCheck, Copy, Info, type LucideIcon, TriangleAlert } from "lucide-react";
import { type ReactNode, useId, useState } from "react";
import { Button, Icon, IconButton } from "../../components";
import type { CheckStatus } from "../../data";
import { t } from "../../i18n";
import { parseFix } from "./report";

type Tone = CheckStatus | "info";
const LOOKS: Record<Tone, { icon: LucideIcon; className: string }> = {
  ok: { icon: CircleCheck, className: "ok-text" },
  warning: { icon: TriangleAlert, className: "warn-text" },
  missing: { icon: CircleAlert, className: "danger-text" },
  failed: { icon: CircleAlert, className: "danger-text" },
  info: { icon: Info, className: "t3" },
};

interface Props {
  tone: Tone;
  title: string;
  children: ReactNode;
  fix?: string | null | undefined;
  technical?: string | null | undefined;
  /** Acceleration's cure is always in view; others open on request. */
  prominent?: boolean;
  onCopy: (command: string) => void;
}

/** One finding: what, why it matters, and the way to mend it. */
export function CheckRow({ tone, title, children, fix, technical, prominent = false, onCopy }: Props) {
  const [open, setOpen] = useState(prominent);
  const id = useId();
  const look = LOOKS[tone];
  const cure = fix ? parseFix(fix) : null;
  return (
    <li className="li doctor-row">
      <span className={`doctor-icon ${look.className}`}>
        <Icon icon={look.icon} />
        {tone === "info" ? null : <span className="vh">{t(`doctor.status.${tone}`)}</span>}
      </span>
      <div className="grow">
        <div className="medium">{title}</div>
        <div className="t2 doctor-text">{children}</div>
        {cure && open ? (
          <div className="doctor-fix" id={id}>
            {cure.text ? (
              <p className="doctor-text">{cure.text}</p>
            ) : null}
            {cure.command ? (
              <div className="field doctor-command">
                <code className="mono grow selectable">{cure.command}</code>
                <IconButton
                  icon={Copy}
                  iconSize={14}
                  small
                  label={t("doctor.copyCommand")}
                  onPress={() => cure.command && onCopy(cure.command)}
                />
              </div>
            ) : null}
            {cure.after ? <p className="t3 t12 doctor-text">{cure.after}</p> : null}
          </div>
        ) : null}
        {technical && tone !== "ok" ? (
          <details className="doctor-technical">
            <summary className="t3 t12">{t("doctor.technical")}</summary>
            <pre className="mono t2 selectable">{technical}</pre>
          </details>
        ) : technical ? (
          <div className="mono t3 doctor-path selectable">{technical}</div>
        ) : null}
      </div>
      {cure && prominent && cure.command ? (
        <Button
          variant="primary"
          aria-label={t("doctor.fixAcceleration")}
          onPress={() => cure.command && onCopy(cure.command)}
        >
          {t("doctor.fixIt")}
        </Button>
      ) : cure && !prominent ? (
        <Button
          aria-label={t("doctor.howToFixThing", { thing: title })}
          aria-expanded={open}
          {...(open ? { "aria-controls": id } : {})}
          onPress={() => setOpen(!open)}
        >
          {t("doctor.howToFix")}
        </Button>
      ) : null}
    </li>
  );
}
