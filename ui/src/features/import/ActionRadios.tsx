import { RadioList } from "../../components";
import { formatBytes, type FileAction } from "../../data";
import { t } from "../../i18n";
import type { Possible } from "./possible";

interface Props {
  value: FileAction;
  onChange: (value: FileAction) => void;
  needs: number;
  free: number | undefined;
  /** Why some are not offered. */
  impossible?: Possible | null;
}

/** Copy, move or use in place. */
export function ActionRadios({ value, onChange, needs, free, impossible }: Props) {
  const noRoom = free !== undefined && needs > free;
  const other = (action: FileAction, label: string, detail: string) => {
    const why = impossible?.[action] ?? null;
    return { value: action, label, detail: why ? t("import.action.not", { why }) : detail, impossible: why !== null };
  };
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
        other("move", t("import.action.move"), t("import.action.moveDetail")),
        other("link", t("import.action.link"), t("import.action.linkDetail")),
      ]}
    />
  );
}
