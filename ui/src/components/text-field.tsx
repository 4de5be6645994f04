import { Search, X } from "lucide-react";
import { type ComponentProps, type ReactNode, type Ref, useId } from "react";
import "./controls.css";
import { Icon } from "./icon";

type InputProps = Omit<ComponentProps<"input">, "onChange" | "value" | "className">;

interface TextFieldProps extends InputProps {
  /** Name; drawn above unless `hideLabel`. */
  label: string;
  hideLabel?: boolean;
  value: string;
  onChange: (value: string) => void;
  /** What is wrong with the value. */
  error?: string | undefined;
  hint?: ReactNode;
  ref?: Ref<HTMLInputElement>;
}

/** One line of text with its label, hint and error. */
export function TextField(props: TextFieldProps) {
  const { label, hideLabel, value, onChange, error, hint, ...rest } = props;
  const id = useId();
  const note = error || hint ? `${id}-note` : undefined;
  return (
    <div className="text-field">
      {hideLabel ? null : (
        <label className="label" htmlFor={id}>
          {label}
        </label>
      )}
      <input
        {...rest}
        id={id}
        className="field"
        aria-label={hideLabel ? label : undefined}
        aria-invalid={error ? true : undefined}
        aria-describedby={note}
        value={value}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
      />
      {error ? (
        <p className="hint danger-text" id={note} role="alert">
          {error}
        </p>
      ) : hint ? (
        <p className="hint" id={note}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}

interface SearchFieldProps {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  clearLabel: string;
  trailing?: ReactNode;
  onKeyDown?: ComponentProps<"input">["onKeyDown"];
  ref?: Ref<HTMLInputElement>;
}

/** A filter as you type; Esc clears it. */
export function SearchField(props: SearchFieldProps) {
  const { label, placeholder, value, onChange, clearLabel, trailing, onKeyDown, ref } = props;
  return (
    <div className="search">
      <Icon icon={Search} size={14} />
      <input
        ref={ref}
        aria-label={label}
        placeholder={placeholder}
        value={value}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === "Escape" && value) {
            event.preventDefault();
            event.stopPropagation();
            onChange("");
          } else onKeyDown?.(event);
        }}
      />
      {value ? (
        <button type="button" className="search-clear" aria-label={clearLabel} onClick={() => onChange("")}>
          <Icon icon={X} size={12} />
        </button>
      ) : (
        trailing
      )}
    </div>
  );
}
