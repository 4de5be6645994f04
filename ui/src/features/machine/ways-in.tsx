import { Copy, ExternalLink, Globe, Plus, Terminal } from "lucide-react";
import { navigate } from "../../app/navigation";
import { Icon, IconButton } from "../../components";
import type { Machine } from "../../data";
import { t } from "../../i18n";
import { platform } from "../../platform";
import { copyText } from "./use-actions";

const SSH = 22;

/** How to get into the guest: SSH and every forwarded port, each with the one button that is wanted. */
export function WaysIn({ machine }: { machine: Machine }) {
  const ssh = machine.ways_in.ssh_command;
  const ports = machine.ports.filter((port) => !(ssh && port.guest === SSH && port.protocol === "tcp"));
  const on = machine.state === "running" || machine.state === "paused";
  if (!on && machine.ports.length === 0) return null;
  return (
    <section aria-label={t("ways.title")}>
      <h2 className="sec">{t("ways.title")}</h2>
      <ul className="card">
        {ssh ? (
          <li className="li compact">
            <span className="t3 row">
              <Icon icon={Terminal} />
            </span>
            <span className="mono grow trunc selectable" title={ssh}>
              {ssh}
            </span>
            <IconButton icon={Copy} label={t("ways.copySsh")} onPress={() => copyText(ssh, t("ways.sshCommand"))} />
          </li>
        ) : null}
        {ports.map((port) => {
          const address = `127.0.0.1:${port.host}`;
          const web = port.protocol === "tcp" && port.guest !== SSH;
          return (
            <li className="li compact" key={`${port.protocol}:${port.host}`}>
              <span className="t3 row">
                <Icon icon={Globe} />
              </span>
              <span className="mono grow trunc">
                {t("ways.forward", { address, guest: String(port.guest), protocol: port.protocol })}
              </span>
              {web && on ? (
                <IconButton
                  icon={ExternalLink}
                  label={t("ways.openInBrowser")}
                  aria-description={address}
                  onPress={() => void platform.openUrl(`http://${address}/`)}
                />
              ) : (
                <IconButton
                  icon={Copy}
                  label={t("ways.copyForward")}
                  aria-description={address}
                  onPress={() => copyText(address, t("facts.address"))}
                />
              )}
            </li>
          );
        })}
        <li className="li compact">
          <button
            type="button"
            className="link row"
            onClick={() => navigate({ page: "edit", machine: machine.id, tab: "ports" })}
          >
            <Icon icon={Plus} size={14} />
            {t("ways.add")}
          </button>
        </li>
      </ul>
    </section>
  );
}
