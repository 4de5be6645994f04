import { RadioList } from "../../components";
import { formatBytes, type FileAction } from "../../data";
import { t } from "../../i18n";

interface Props {
  value: FileAction;
  onChange: (value: FileAction) => void;
  needs: number;
  free: number | undefined;
}

/** Copy, move or use in place. */
export function ActionRadios({ value, onChange, needs, free }: Props) {
  const noRoom = free !== undefined && needs > free;
  return (
    <RadioList
      label={t("import.action")}
      value={value}
      onChange={onChange}
      options={[
        {
          value: "copy",
          label: t("import.action.copy"),
          detail: noRoom
            ? t("import.action.copyNoRoom", { size: formatBytes(needs), free: formatBytes(free) })
            : t("import.action.copyDetail", { size: formatBytes(needs) }),
          impossible: noRoom,
        },
        { value: "move", label: t("import.action.move"), detail: t("import.action.moveDetail") },
        { value: "link", label: t("import.action.link"), detail: t("import.action.linkDetail") },
      ]}
    />
  );
}
