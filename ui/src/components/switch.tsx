import "./controls.css";

interface Props {
  label: string;
  checked: boolean;
  onChange: (checked: boolean) => void;
  unavailable?: boolean;
  describedBy?: string | undefined;
}

/** On or off, at once. */
export function Switch({ label, checked, onChange, unavailable, describedBy }: Props) {
  return (
    <button
      type="button"
      role="switch"
      className="switch"
      aria-checked={checked}
      aria-label={label}
      aria-disabled={unavailable ? true : undefined}
      aria-describedby={describedBy}
      onClick={() => {
        if (!unavailable) onChange(!checked);
      }}
    />
  );
}
