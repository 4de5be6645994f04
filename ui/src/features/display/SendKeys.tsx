import { Check, Keyboard } from "lucide-react";
import { Button, Menu, MenuItem, MenuTrigger, Popover, Separator } from "react-aria-components";
import { Icon } from "../../components";
import { t, type MessageKey } from "../../i18n";
import type { Outgoing } from "./protocol";

const CTRL = { keysym: 0xffe3, code: "ControlLeft" };
const ALT = { keysym: 0xffe9, code: "AltLeft" };
const key = (keysym: number, code: string) => ({ keysym, code });

interface Chord {
  id: string;
  label: MessageKey;
  detail?: string;
  keys: { keysym: number; code: string }[];
  separated?: boolean;
}

const CHORDS: Chord[] = [
  { id: "cad", label: "display.keys.ctrlAltDelete", keys: [CTRL, ALT, key(0xffff, "Delete")] },
  { id: "alt-tab", label: "display.keys.altTab", keys: [ALT, key(0xff09, "Tab")] },
  { id: "alt-f4", label: "display.keys.altF4", keys: [ALT, key(0xffc1, "F4")] },
  { id: "super", label: "display.keys.super", keys: [key(0xffeb, "MetaLeft")] },
  { id: "print", label: "display.keys.printScreen", keys: [key(0xff61, "PrintScreen")] },
  { id: "tty1", label: "display.keys.ctrlAltF1", detail: "1", keys: [CTRL, ALT, key(0xffbe, "F1")], separated: true },
  { id: "tty2", label: "display.keys.ctrlAltF2", detail: "2", keys: [CTRL, ALT, key(0xffbf, "F2")] },
];

export type Held = "ctrl" | "alt";
const HOLDS: { id: Held; label: MessageKey; key: { keysym: number; code: string } }[] = [
  { id: "ctrl", label: "display.keys.holdCtrl", key: CTRL },
  { id: "alt", label: "display.keys.holdAlt", key: ALT },
];

interface Props {
  send: (message: Outgoing) => void;
  held: ReadonlySet<Held>;
  onHeld: (held: ReadonlySet<Held>) => void;
  onOpenChange: (open: boolean) => void;
  /** After a chord was sent: the guest has the keyboard again. */
  onSent: () => void;
}

/** Keys this computer would keep for itself. Held modifiers stay down until let go here or by Ctrl+Alt. */
export function SendKeys({ send, held, onHeld, onOpenChange, onSent }: Props) {
  const press = (keys: Chord["keys"]) => {
    for (const one of keys) send({ type: "key", ...one, down: true });
    for (const one of [...keys].reverse()) send({ type: "key", ...one, down: false });
    onSent();
  };
  const toggle = (hold: (typeof HOLDS)[number]) => {
    const next = new Set(held);
    const down = !next.delete(hold.id);
    if (down) next.add(hold.id);
    send({ type: "key", ...hold.key, down });
    onHeld(next);
    onSent();
  };
  return (
    <MenuTrigger onOpenChange={onOpenChange}>
      <Button className="ib" aria-label={t("display.sendKeys")}>
        <Icon icon={Keyboard} />
      </Button>
      <Popover className="popover display-menu" placement="bottom" offset={10}>
        <Menu aria-label={t("display.sendKeys")} className="menu">
          {CHORDS.flatMap((chord) => [
            ...(chord.separated ? [<Separator key={`${chord.id}-line`} className="menu-line" />] : []),
            <MenuItem
              key={chord.id}
              className="menu-item"
              textValue={t(chord.label)}
              aria-label={t(chord.label)}
              onAction={() => press(chord.keys)}
            >
              <span className="grow">{t(chord.label)}</span>
              {chord.detail ? (
                <span className="menu-key">{t("display.keys.console", { number: chord.detail })}</span>
              ) : null}
            </MenuItem>,
          ])}
          <Separator className="menu-line" />
          {HOLDS.map((hold) => (
            <MenuItem
              key={hold.id}
              className="menu-item"
              textValue={t(hold.label)}
              aria-label={t(hold.label)}
              onAction={() => toggle(hold)}
            >
              <span className="grow">{t(hold.label)}</span>
              {held.has(hold.id) ? (
                <span className="menu-key row">
                  <Icon icon={Check} size={14} />
                  {t("display.keys.held")}
                </span>
              ) : null}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
