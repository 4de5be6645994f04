import { Download, Monitor } from "lucide-react";
import type { CSSProperties } from "react";
import { Icon } from "../../components";
import type { Machine } from "../../data";
import { type Picture, useThumbnail } from "./pictures";
import "./thumb.css";

/** How much larger the text of a console is drawn. */
const CONSOLE_ZOOM = 2.3;

interface GuestPictureProps {
  picture: Picture | undefined;
  /** Consoles are cropped to their text. */
  crop?: boolean;
}

/** Scales to the left of the last lines, so that they end at the lower edge. */
function consoleCrop(bottom: number): CSSProperties {
  const hidden = Math.max(0, bottom * CONSOLE_ZOOM - 1);
  return { transform: `translateY(${Math.round(-hidden * 100)}%) scale(${CONSOLE_ZOOM})`, transformOrigin: "0 0" };
}

/** A guest's picture, or an empty screen. Decorative: name and state are text beside it. */
export function GuestPicture({ picture, crop }: GuestPictureProps) {
  if (!picture) {
    return (
      <span className="guest-none">
        <Icon icon={Monitor} size={14} />
      </span>
    );
  }
  const zoom: CSSProperties = crop && picture.console ? consoleCrop(picture.console.bottom) : {};
  return <img className="guest" src={picture.url} alt="" draggable={false} style={zoom} />;
}

/** The small live picture of a machine. */
export function Thumb({ machine }: { machine: Machine }) {
  const picture = useThumbnail(machine);
  const off = machine.state === "stopped" || machine.state === "broken" || machine.state === "suspended";
  return (
    <span className={off ? "thumb off" : "thumb"}>
      {machine.state === "creating" ? (
        <span className="guest-none busy">
          <Icon icon={Download} size={14} />
        </span>
      ) : (
        <GuestPicture picture={picture} crop />
      )}
    </span>
  );
}
