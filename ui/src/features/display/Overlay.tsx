import { MonitorOff, Play, RotateCw } from "lucide-react";
import { useEffect, useState } from "react";
import { Button, Icon, Ring } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import type { Link } from "./session";

/** A connection made faster than this shows no “connecting”. */
const PATIENCE = 400;

interface Props {
  machine: Machine;
  link: Link;
  hasPicture: boolean;
  onRetry: () => void;
  onStart: () => void;
  onResume: () => void;
}

/** Why there is no (live) picture, and the way out. Nothing while all is well. */
export function Overlay({ machine, link, hasPicture, onRetry, onStart, onResume }: Props) {
  const { name } = machine;
  // A job that works on a machine at rest is about to start it.
  const state = machine.state === "stopped" && machine.job !== null ? "starting" : machine.state;
  const connecting = useLater(link.state === "connecting" && !hasPicture);

  if (state === "stopped" || state === "suspended" || state === "broken") {
    return (
      <Cover solid={!hasPicture}>
        <p className="display-cover-title">{t(`display.${state}`, { name })}</p>
        {machine.state_reason ? <p className="display-cover-text">{machine.state_reason}</p> : null}
        <Button variant="primary" size="lg" icon={Play} onPress={onStart}>
          {t(state === "suspended" ? "display.resume" : "display.start")}
        </Button>
      </Cover>
    );
  }
  if (state === "starting" || state === "creating") {
    return (
      <Cover solid={!hasPicture}>
        <Ring value={null} />
        <p className="display-cover-title">{t(`display.${state}`, { name })}</p>
      </Cover>
    );
  }
  if (link.state === "lost") return <Lost link={link} hasPicture={hasPicture} onRetry={onRetry} />;
  if (link.state === "ended") {
    return (
      <Cover solid={!hasPicture}>
        <p className="display-cover-title">{t("display.ended")}</p>
        {link.reason ? <p className="display-cover-text">{link.reason}</p> : null}
        <Button variant="glass" icon={RotateCw} onPress={onRetry}>
          {t("display.tryNow")}
        </Button>
      </Cover>
    );
  }
  if (state === "paused") {
    return (
      <Cover solid={false}>
        <p className="display-cover-title">{t("display.paused")}</p>
        <Button variant="primary" size="lg" icon={Play} onPress={onResume}>
          {t("display.resume")}
        </Button>
      </Cover>
    );
  }
  if (connecting) {
    return (
      <Cover solid>
        <Ring value={null} />
        <p className="display-cover-text">{t("display.connecting")}</p>
      </Cover>
    );
  }
  return null;
}

function Lost({ link, hasPicture, onRetry }: { link: Link; hasPicture: boolean; onRetry: () => void }) {
  const now = useClock(link.retryAt !== null);
  const seconds = link.retryAt === null ? 0 : Math.max(0, Math.ceil((link.retryAt - now) / 1000));
  return (
    <Cover solid={!hasPicture}>
      <Icon icon={MonitorOff} size={24} />
      <p className="display-cover-title">{t("display.lost")}</p>
      <p className="display-cover-text">{link.reason || t("display.lostWhy")}</p>
      <p className="display-cover-text num" aria-hidden="true">
        {seconds > 0 ? t("display.retryIn", { seconds }) : t("display.retrying")}
      </p>
      <Button variant="glass" icon={RotateCw} onPress={onRetry}>
        {t("display.tryNow")}
      </Button>
    </Cover>
  );
}

function Cover({ solid, children }: { solid: boolean; children: React.ReactNode }) {
  return (
    <div className={solid ? "display-cover solid" : "display-cover"} role="status">
      {children}
    </div>
  );
}

function useLater(condition: boolean): boolean {
  const [late, setLate] = useState(false);
  useEffect(() => {
    if (!condition) return;
    const timer = setTimeout(() => setLate(true), PATIENCE);
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [condition]);
  return condition && late;
}

function useClock(running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [running]);
  return now;
}
