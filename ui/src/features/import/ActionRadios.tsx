import { useRoving } from "../../components";
import { formatBytes, type FileAction } from "../../data";
import { t } from "../../i18n";

interface Props {
  value: FileAction;
  onChange: (value: FileAction) => void;
  needs: number;
  free: number | undefined;
}

/** Copy, move or use in place; what is not possible says why in its row. */
export function ActionRadios({ value, onChange, needs, free }: Props) {
  const onKeyDown = useRoving("[role=radio]");
  const noRoom = free !== undefined && needs > free;
  const options: { value: FileAction; detail: string; impossible?: boolean }[] = [
    {
      value: "copy",
      detail: noRoom
        ? t("import.action.copyNoRoom", { size: formatBytes(needs), free: formatBytes(free) })
        : t("import.action.copyDetail", { size: formatBytes(needs) }),
      impossible: noRoom,
    },
    { value: "move", detail: t("import.action.moveDetail") },
    { value: "link", detail: t("import.action.linkDetail") },
  ];
  return (
    // eslint-disable-next-line jsx-a11y/interactive-supports-focus -- the radios take the focus
    <div className="card" role="radiogroup" aria-label={t("import.action")} onKeyDown={onKeyDown}>
      {options.map((option) => (
        <button
          type="button"
          key={option.value}
          role="radio"
          className="li import-radio"
          aria-checked={option.value === value}
          aria-disabled={option.impossible ? true : undefined}
          aria-label={t(`import.action.${option.value}`)}
          aria-description={option.detail}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => {
            if (!option.impossible) onChange(option.value);
          }}
        >
          <span className="import-dot" />
          <span className="medium import-radio-name">{t(`import.action.${option.value}`)}</span>
          <span className="t2 grow">{option.detail}</span>
        </button>
      ))}
    </div>
  );
}
