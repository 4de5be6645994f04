/** A whole number from 1 to 1000 out of typed text; null when it is none. */
export function readCount(text: string): number | null {
  const trimmed = text.trim();
  if (!/^\d{1,4}$/.test(trimmed)) return null;
  const count = Number(trimmed);
  return count >= 1 && count <= 1000 ? count : null;
}
