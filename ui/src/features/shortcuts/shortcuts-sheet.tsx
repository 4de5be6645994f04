import { keyWords } from "../../app/keys";
import { Sheet } from "../../components";
import { t, type MessageKey } from "../../i18n";
import "./shortcuts.css";

const GROUPS: [title: MessageKey, keys: [label: MessageKey, shortcut: string][]][] = [
  [
    "shortcuts.general",
    [
      ["shortcuts.palette", "mod+k"],
      ["shortcuts.newVm", "mod+n"],
      ["shortcuts.search", "mod+f"],
      ["shortcuts.nth", "mod+1…9"],
      ["shortcuts.undo", "mod+z"],
      ["shortcuts.settings", "mod+comma"],
      ["shortcuts.shortcuts", "slash"],
    ],
  ],
  [
    "shortcuts.machine",
    [
      ["shortcuts.display", "mod+enter"],
      ["shortcuts.startPause", "space"],
      ["shortcuts.edit", "mod+e"],
      ["shortcuts.snapshot", "mod+s"],
      ["shortcuts.inspector", "mod+shift+s"],
      ["shortcuts.delete", "delete"],
    ],
  ],
  [
    "shortcuts.move",
    [
      ["shortcuts.arrows", "up+down"],
      ["shortcuts.panes", "F6"],
      ["shortcuts.escape", "escape"],
      ["shortcuts.release", "ctrl+alt"],
    ],
  ],
];

/** Every shortcut, by what it does. */
export function ShortcutsSheet({ onClose }: { onClose: () => void }) {
  return (
    <Sheet label={t("shortcuts.title")} title={t("shortcuts.title")} onClose={onClose} width={760}>
      <div className="sheet-body shortcut-groups">
        {GROUPS.map(([title, keys]) => (
          <section key={title} aria-label={t(title)}>
            <h3 className="sec">{t(title)}</h3>
            <dl>
              {keys.map(([label, shortcut]) => (
                <div key={label} className="shortcut">
                  <dt>{t(label)}</dt>
                  <dd>
                    {keyWords(shortcut).map((word) => (
                      <kbd key={word} className="kbd">
                        {word}
                      </kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Sheet>
  );
}
