/** The second step's form: limits, defaults and the request it makes. Pure. */
import { GIB } from "../../data/format";
import type { CreateRequest, HostInfo, HostUsage, Machine } from "../../data/types";
import type { Card, CardArch } from "./gallery";

export interface Draft {
  name: string;
  cpus: number;
  /** GB, in steps of a half. */
  memory: number;
  /** GB. */
  disk: number;
  user: string;
  signIn: "key" | "password";
  password: string;
  network: string;
  start: boolean;
}

export interface Limits {
  cpus: { min: number; max: number };
  memory: { min: number; max: number; free: number | null };
  disk: { min: number; max: number; free: number | null };
}

/** Offered when Doctor has not answered: small enough for any computer that runs machines. */
const UNKNOWN = { cpus: 4, memory: 8, disk: 128 };
const DISK_MIN = 4;
const DISK_MAX = 1024;
const MEMORY_STEP = 0.5;

const halfDown = (gigabytes: number): number => Math.floor(gigabytes / MEMORY_STEP) * MEMORY_STEP;

/**
 * What this computer allows (never more) and what is free now (more is allowed, and warned about). `least` is what a
 * template or a file needs: the disk's limit is never below it.
 */
export function limitsOf(
  host: HostInfo | undefined,
  usage: HostUsage | undefined,
  least: { disk: number },
): Limits {
  const memoryFree = usage?.memory_free ?? host?.memory_free;
  const diskFree = usage?.disk_free ?? host?.disk_free;
  const total = host ? host.disk_total / GIB : UNKNOWN.disk;
  return {
    cpus: { min: 1, max: Math.max(1, host?.cpus ?? UNKNOWN.cpus) },
    memory: {
      min: MEMORY_STEP,
      max: Math.max(1, halfDown((host?.memory ?? UNKNOWN.memory * GIB) / GIB)),
      free: memoryFree === undefined ? null : memoryFree / GIB,
    },
    disk: {
      min: DISK_MIN,
      // A disk grows as needed, so it may be larger than what is free; beyond this computer's disk it makes no sense.
      max: Math.max(DISK_MIN, Math.ceil(least.disk / GIB), Math.min(DISK_MAX, Math.floor(total))),
      free: diskFree === undefined ? null : diskFree / GIB,
    },
  };
}

const clamp = (value: number, { min, max }: { min: number; max: number }): number => Math.min(max, Math.max(min, value));

/** `wanted`, or `wanted 2`, `wanted 3`, … as the service counts: without regard to case. */
export function freeName(wanted: string, machines: Pick<Machine, "name">[]): string {
  const taken = new Set(machines.map((machine) => machine.name.toLocaleLowerCase()));
  if (!taken.has(wanted.toLocaleLowerCase())) return wanted;
  for (let number = 2; ; number += 1) {
    const name = `${wanted} ${number}`;
    if (!taken.has(name.toLocaleLowerCase())) return name;
  }
}

export function newDraft(card: Card, arch: CardArch, limits: Limits, machines: Machine[]): Draft {
  const { defaults, user } = card.template;
  return {
    name: freeName(arch.label, machines),
    cpus: clamp(defaults.cpus, limits.cpus),
    memory: clamp(Math.round(defaults.memory / GIB / MEMORY_STEP) * MEMORY_STEP, limits.memory),
    disk: clamp(Math.ceil(defaults.disk / GIB), limits.disk),
    user: user ?? "",
    signIn: "key",
    password: "",
    network: "default",
    start: true,
  };
}

export type NameProblem = "empty" | "long" | "control" | "taken";

/** Why a name can't be used, by the service's rules; null when it can. */
export function nameProblem(name: string, machines: Pick<Machine, "name">[]): NameProblem | null {
  const trimmed = name.trim();
  if (trimmed === "") return "empty";
  if ([...trimmed].length > 120) return "long";
  if (/[\p{Cc}\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/u.test(trimmed)) return "control";
  const folded = trimmed.toLocaleLowerCase();
  return machines.some((machine) => machine.name.toLocaleLowerCase() === folded) ? "taken" : null;
}

/** Login names as Linux takes them. */
export const userProblem = (user: string): boolean => !/^[a-z_][a-z0-9_-]{0,31}$/.test(user);

/** Whether the guest can be given an account: only ready images are set up at first boot. */
export const hasAccount = (arch: CardArch): boolean => arch.source.kind === "cloud-image";

export function toRequest(draft: Draft, card: Card, arch: CardArch): CreateRequest {
  const account = hasAccount(arch);
  return {
    name: draft.name.trim(),
    source: { template: { id: card.template.id } },
    arch: arch.arch,
    cpus: draft.cpus,
    memory: Math.round(draft.memory * GIB),
    disk: Math.round(draft.disk * GIB),
    ...(account && draft.user ? { user: draft.user } : {}),
    ...(account && draft.signIn === "password" && draft.password ? { password: draft.password } : {}),
    network: draft.network,
    start: draft.start,
  };
}
