/** Which machines a common snapshot is offered for. Pure. */
import type { Machine } from "../../data/types";

interface Wanted {
  ids?: string[];
  tag?: string;
}

/** Those named, those with the tag, or all that run; none that can't be snapshotted. By name. */
export function candidates(machines: Machine[], { ids, tag }: Wanted): Machine[] {
  const folded = tag?.toLocaleLowerCase();
  const wanted = (machine: Machine): boolean => {
    if (ids) return ids.includes(machine.id);
    if (folded !== undefined) return machine.tags.some((one) => one.toLocaleLowerCase() === folded);
    return machine.state === "running";
  };
  return machines
    .filter((machine) => machine.state !== "creating" && machine.state !== "broken" && wanted(machine))
    .sort((a, b) => a.name.localeCompare(b.name));
}
