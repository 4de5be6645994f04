import { ConfirmSheet } from "../../components";
import { t } from "../../i18n";

interface Props {
  paths: string[];
  onConfirm: () => void;
  onClose: () => void;
}

const nameOf = (path: string): string => path.split(/[\\/]/).pop() ?? path;

/** Before files that are there are replaced: which, and that they are lost. */
export function OverwriteSheet({ paths, onConfirm, onClose }: Props) {
  const [first = ""] = paths;
  return (
    <ConfirmSheet
      title={t("carry.replaceTitle", { count: paths.length, name: nameOf(first) })}
      confirm={t("carry.replaceConfirm", { count: paths.length, name: nameOf(first) })}
      onConfirm={onConfirm}
      onClose={onClose}
    >
      <p>{t("carry.replaceLose", { count: paths.length })}</p>
      <ul className="mono t2 selectable">
        {paths.map((path) => (
          <li key={path}>{path}</li>
        ))}
      </ul>
    </ConfirmSheet>
  );
}
