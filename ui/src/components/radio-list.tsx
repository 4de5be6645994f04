import "./radio-list.css";
import { useRoving } from "./roving";

interface Option<T extends string> {
  value: T;
  label: string;
  /** What it means; why it is not possible. */
  detail: string;
  impossible?: boolean;
}

interface Props<T extends string> {
  label: string;
  value: T;
  options: Option<T>[];
  onChange: (value: T) => void;
}

/** One of a few that each need a sentence; what is not possible says why in its row. */
export function RadioList<T extends string>({ label, value, options, onChange }: Props<T>) {
  const onKeyDown = useRoving("[role=radio]");
  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the radios take the focus
    <div className="card" role="radiogroup" aria-label={label} onKeyDown={onKeyDown}>
      {options.map((option) => (
        <button
          type="button"
          key={option.value}
          role="radio"
          className="li radio-item"
          aria-checked={option.value === value}
          aria-disabled={option.impossible ? true : undefined}
          aria-label={option.label}
          aria-description={option.detail}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => {
            if (!option.impossible) onChange(option.value);
          }}
        >
          <span className="radio-dot" />
          <span className="medium radio-name">{option.label}</span>
          <span className="t2 grow">{option.detail}</span>
        </button>
      ))}
    </div>
  );
}
