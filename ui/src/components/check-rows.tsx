import { Check } from "lucide-react";
import type { ReactNode } from "react";
import "./check-rows.css";
import { Icon } from "./icon";

interface Item {
  id: string;
  label: string;
  leading?: ReactNode;
  /** In small text at the end. */
  detail?: string;
  checked: boolean;
}

interface Props {
  label: string;
  items: Item[];
  onChange: (id: string, checked: boolean) => void;
}

/** Any of several, each with its own check box. */
export function CheckRows({ label, items, onChange }: Props) {
  return (
    <div className="card check-rows" role="group" aria-label={label}>
      {items.map((item) => (
        <label key={item.id} className="li compact check-row">
          <input
            type="checkbox"
            className="check-input"
            aria-label={item.label}
            aria-description={item.detail}
            checked={item.checked}
            onChange={(event) => onChange(item.id, event.target.checked)}
          />
          <span className="check-box" aria-hidden="true">
            <Icon icon={Check} size={12} />
          </span>
          {item.leading}
          <span className="grow trunc medium">{item.label}</span>
          {item.detail ? <span className="t3 t12">{item.detail}</span> : null}
        </label>
      ))}
    </div>
  );
}
