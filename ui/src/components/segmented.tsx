import type { LucideIcon } from "lucide-react";
import "./controls.css";
import { Icon } from "./icon";
import { useRoving } from "./roving";

interface Option<T extends string> {
  value: T;
  label: string;
  icon?: LucideIcon;
}

interface Props<T extends string> {
  label: string;
  value: T;
  options: Option<T>[];
  onChange: (value: T) => void;
}

/** One of a few, all visible: a radio group drawn as one control. */
export function Segmented<T extends string>({ label, value, options, onChange }: Props<T>) {
  const onKeyDown = useRoving("[role=radio]");
  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the radios take the focus
    <div className="seg" role="radiogroup" aria-label={label} onKeyDown={onKeyDown}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          aria-checked={option.value === value}
          aria-label={option.label}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => onChange(option.value)}
        >
          {option.icon ? <Icon icon={option.icon} size={14} /> : null}
          {option.label}
        </button>
      ))}
    </div>
  );
}
