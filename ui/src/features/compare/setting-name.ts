import { type MessageKey, t } from "../../i18n";

/** Words for the settings that the Edit page has names for; others are said as the command line calls them. */
const NAMES: Record<string, MessageKey> = {
  name: "edit.name",
  cpus: "edit.cores",
  memory: "edit.memory",
  "display.resolution": "edit.resolution",
  "boot.order": "edit.bootOrder",
  firmware: "edit.firmware",
  accelerator: "edit.accelerator",
  clock: "edit.clock",
  notes: "edit.notes",
  tags: "edit.tags",
  disks: "compare.disks",
  nics: "compare.nics",
  ports: "edit.forwards",
  medium: "edit.medium",
};

export const settingName = (key: string): string => {
  const name = NAMES[key];
  return name ? t(name) : key;
};
