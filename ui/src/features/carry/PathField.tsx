import { FolderOpen } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { Button, TextField } from "../../components";
import { useClient } from "../../data";
import { t } from "../../i18n";
import "./carry.css";
import { folderOf, lastFolder, rememberFolder } from "./paths";

type Pick =
  | { kind: "open"; title: string; extensions: string[]; name: string }
  | { kind: "save"; title: string; name: string }
  | { kind: "folder"; title: string };

interface Props {
  label: string;
  value: string;
  onChange: (path: string) => void;
  /** The path is whole: it was chosen, or the field was left. */
  onDone?: (path: string) => void;
  pick: Pick;
  error?: string | undefined;
  hint?: ReactNode;
}

/** How long typing rests before a path counts as whole, in milliseconds. */
const REST = 600;

/** A path on the computer of the service: by a dialog where the host has one, and always by typing. */
export function PathField({ label, value, onChange, onDone, pick, error, hint }: Props) {
  const { platform } = useClient();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const typed = (path: string) => {
    onChange(path);
    clearTimeout(timer.current);
    if (onDone) timer.current = setTimeout(() => onDone(path), REST);
  };
  const choose = async () => {
    const chosen =
      pick.kind === "folder"
        ? await platform.pickFolder(pick.title)
        : pick.kind === "save"
          ? await platform.pickSavePath({ title: pick.title, name: pick.name, folder: lastFolder() })
          : (
              await platform.pickFiles({
                title: pick.title,
                multiple: false,
                extensions: pick.extensions,
                extensionsName: pick.name,
              })
            )[0];
    if (!chosen) return;
    clearTimeout(timer.current);
    if (pick.kind !== "open") rememberFolder(pick.kind === "folder" ? chosen : folderOf(chosen));
    onChange(chosen);
    onDone?.(chosen);
  };
  return (
    <div className="path-field">
      <TextField
        label={label}
        value={value}
        onChange={typed}
        error={error}
        hint={hint ?? (platform.kind === "tauri" ? undefined : t("carry.pathHint"))}
        placeholder={pick.kind === "folder" ? t("carry.folderExample") : t("carry.pathExample")}
      />
      {platform.kind === "tauri" ? (
        <Button size="lg" icon={FolderOpen} aria-label={t("carry.chooseName", { field: label })} onPress={() => void choose()}>
          {t("carry.choose")}
        </Button>
      ) : null}
    </div>
  );
}
