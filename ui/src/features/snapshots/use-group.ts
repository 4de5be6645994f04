import { useQueries } from "@tanstack/react-query";
import { keys, type Machine, useClient, useMachines } from "../../data";

/** Machines looked through at most: in larger libraries the group stays nameless. */
const AT_MOST = 24;

const NONE: Machine[] = [];

/** Names of the other machines whose snapshot was cut at the same instant; empty while not known. */
export function useGroup(machine: string, group: string | null): string[] {
  const client = useClient();
  const { data: machines = NONE } = useMachines();
  const others = group === null ? NONE : machines.filter((one) => one.id !== machine && one.snapshots > 0);
  const asked = others.length > AT_MOST ? NONE : others;
  const lists = useQueries({
    queries: asked.map((one) => ({ queryKey: keys.snapshots(one.id), queryFn: () => client.snapshots(one.id) })),
  });
  return asked
    .filter((_, at) => lists[at]?.data?.snapshots.some((one) => one.group === group))
    .map((one) => one.name);
}
