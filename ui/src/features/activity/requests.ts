/**
 * What this window asked for, so that “Try again” can ask for the same. Kept for the life of the window only:
 * a request may hold a password.
 */
import type { CreateRequest, ImportRequest } from "../../data/types";

export type Asked = { kind: "create"; request: CreateRequest } | { kind: "import"; request: ImportRequest };

const AT_MOST = 100;
const asked = new Map<string, Asked>();

export function rememberRequest(jobId: string, request: Asked): void {
  asked.set(jobId, request);
  const oldest = asked.keys().next().value;
  if (asked.size > AT_MOST && oldest !== undefined) asked.delete(oldest);
}

export const requestOf = (jobId: string): Asked | undefined => asked.get(jobId);
