import { Check, ChevronsUpDown, Lock, type LucideIcon } from "lucide-react";
import { type KeyboardEvent, useId, useRef, useState } from "react";
import { Popover } from "react-aria-components";
import "./controls.css";
import { Icon } from "./icon";

interface Option<T extends string> {
  value: T;
  label: string;
  detail?: string;
}

interface Props<T extends string> {
  label: string;
  value: T;
  options: Option<T>[];
  onChange: (value: T) => void;
  icon?: LucideIcon;
  /** Shown instead of the chosen option's label. */
  display?: string;
  unavailable?: boolean;
  describedBy?: string | undefined;
  className?: string;
}

/** One of many: a button with role combobox that opens a listbox. Type-ahead, arrows, Home, End, Enter, Esc. */
export function Select<T extends string>(props: Props<T>) {
  const { label, value, options, onChange, unavailable } = props;
  const listId = useId();
  const button = useRef<HTMLButtonElement>(null);
  const [open, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const typed = useRef({ text: "", at: 0 });
  const chosen = options.findIndex((option) => option.value === value);
  const current = options[chosen];

  const show = () => {
    if (unavailable) return;
    setActive(Math.max(0, chosen));
    setOpen(true);
  };
  const choose = (index: number) => {
    const option = options[index];
    setOpen(false);
    button.current?.focus();
    if (option && option.value !== value) onChange(option.value);
  };
  const typeAhead = (key: string, now: number) => {
    const text = now - typed.current.at > 800 ? key : typed.current.text + key;
    typed.current = { text, at: now };
    const found = options.findIndex((option) => option.label.toLowerCase().startsWith(text.toLowerCase()));
    if (found >= 0) setActive(found);
    return found;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const last = options.length - 1;
    const moves: Record<string, number> = {
      ArrowDown: Math.min(last, active + 1),
      ArrowUp: Math.max(0, active - 1),
      Home: 0,
      End: last,
    };
    const to = moves[event.key];
    if (!open) {
      if (["ArrowDown", "ArrowUp", "Enter", " "].includes(event.key)) {
        event.preventDefault();
        show();
      } else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !unavailable) {
        const found = typeAhead(event.key, event.timeStamp);
        if (found >= 0) choose(found);
      }
      return;
    }
    if (to !== undefined) setActive(to);
    else if (event.key === "Enter" || event.key === " ") choose(active);
    else if (event.key === "Tab") {
      choose(active);
      return;
    } else if (event.key === "Escape") setOpen(false);
    else if (event.key.length === 1) typeAhead(event.key, event.timeStamp);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <>
      <button
        ref={button}
        type="button"
        role="combobox"
        className={`field select ${props.className ?? ""}`}
        aria-label={label}
        aria-haspopup="listbox"
        aria-expanded={open}
        aria-controls={open ? listId : undefined}
        aria-activedescendant={open ? `${listId}-${active}` : undefined}
        aria-disabled={unavailable ? true : undefined}
        aria-describedby={props.describedBy}
        onClick={() => (open ? setOpen(false) : show())}
        onKeyDown={onKeyDown}
      >
        {props.icon ? <Icon icon={props.icon} size={14} /> : null}
        <span className="grow trunc">{props.display ?? current?.label ?? value}</span>
        <Icon icon={unavailable ? Lock : ChevronsUpDown} size={14} className="t3" />
      </button>
      <Popover
        triggerRef={button}
        isOpen={open}
        onOpenChange={setOpen}
        className="popover"
        placement="bottom start"
        offset={4}
        isNonModal
      >
        <div id={listId} role="listbox" aria-label={label} className="menu">
          {options.map((option, index) => (
            // The combobox has the focus and the keys; this is for the pointer.
            // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
            <div
              key={option.value}
              id={`${listId}-${index}`}
              role="option"
              aria-selected={index === chosen}
              aria-label={option.label}
              className="menu-item"
              data-focused={index === active || undefined}
              onPointerMove={() => setActive(index)}
              onPointerDown={(event) => event.preventDefault()}
              onClick={() => choose(index)}
            >
              {index === chosen ? <Icon icon={Check} size={14} /> : <span className="menu-gap" />}
              <span className="grow">
                {option.label}
                {option.detail ? <span className="menu-reason">{option.detail}</span> : null}
              </span>
            </div>
          ))}
        </div>
      </Popover>
    </>
  );
}
