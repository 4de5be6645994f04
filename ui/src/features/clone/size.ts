/** How much a full clone copies. Pure. */
import type { Machine, Snapshot } from "../../data/types";

/**
 * Bytes of disk a full clone of a point copies at most: what the snapshots on the way to it hold, and for the
 * present the active images, too. What the machine was made from is copied as well, and not counted: nothing says
 * how large it is.
 */
export function copiedBytes(machine: Machine, snapshots: Snapshot[], from: string | null): number {
  const byId = new Map(snapshots.map((one) => [one.id, one]));
  const active = machine.disks.reduce((sum, disk) => sum + disk.used, 0);
  const seen = new Set<string>();
  let bytes = from === null || from === machine.current_snapshot ? active : 0;
  let at = from;
  while (at !== null && !seen.has(at)) {
    seen.add(at);
    const one = byId.get(at);
    bytes += one ? Math.max(0, one.size - one.memory_size) : 0;
    at = one?.parent ?? null;
  }
  return bytes;
}
