/** Parts of `label` that the search found, in order; null when it does not match. */
export function findIn(label: string, search: string): [from: number, to: number][] | null {
  const text = label.toLocaleLowerCase();
  const found: [number, number][] = [];
  for (const word of search.toLocaleLowerCase().split(/\s+/).filter(Boolean)) {
    const at = text.indexOf(word);
    if (at < 0) return null;
    found.push([at, at + word.length]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}
