/**
 * Pictures of machines for thumbnails and previews: at most one request a second for each address, the last
 * picture kept so that coming back to a machine shows it at once.
 */
import { useEffect, useReducer } from "react";
import { useClient } from "../../data";
import { uiState } from "../../app/ui-state";

export interface Picture {
  url: string;
  width: number;
  height: number;
  /** Where the last line ends (0 to 1), when it is text on black: thumbnails show that part larger. */
  console: { bottom: number } | null;
}

/** Pictures kept, at most. */
const KEEP = 96;
/** A picture is asked for again after this long at the earliest, in milliseconds. */
const PERIOD = 1_000;
/** A row must stay in view this long before it asks: rows that scroll by don't. In milliseconds. */
const SETTLE = 120;
/** A console has at most this share of pixels that differ from its background. */
const CONSOLE_SHARE = 0.2;
/** Difference in any channel that counts. */
const LIT = 24;
/** Text starts within this share of the width. */
const MARGIN = 0.15;
/** Backgrounds of consoles are at most this bright. */
const DARK = 64;

const cache = new Map<string, Picture>();

function remember(key: string, picture: Picture): void {
  const old = cache.get(key);
  cache.delete(key);
  cache.set(key, picture);
  if (old && old.url !== picture.url) retire(old.url);
  while (cache.size > KEEP) {
    const [oldest] = cache.keys();
    if (oldest === undefined) return;
    const gone = cache.get(oldest);
    cache.delete(oldest);
    if (gone) retire(gone.url);
  }
}

/** An `<img>` may be about to draw it: let it go a little later. */
const retire = (url: string) => setTimeout(() => URL.revokeObjectURL(url), 5_000);

function findConsole(image: HTMLImageElement): Picture["console"] {
  const width = 160;
  const height = 100;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) return null;
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const corner = data.subarray(data.length - 4, data.length - 1);
  if (Math.max(...corner) > DARK) return null;
  let lit = 0;
  let bottom = 0;
  let left = width;
  for (let at = 0; at < data.length; at += 4) {
    const differs = [0, 1, 2].some((channel) => Math.abs((data[at + channel] ?? 0) - (corner[channel] ?? 0)) > LIT);
    if (!differs) continue;
    lit += 1;
    bottom = Math.floor(at / 4 / width);
    left = Math.min(left, (at / 4) % width);
  }
  if (lit === 0 || lit > width * height * CONSOLE_SHARE || left > width * MARGIN) return null;
  return { bottom: Math.min(1, (bottom + 3) / height) };
}

async function load(read: () => Promise<Blob>): Promise<Picture> {
  const url = URL.createObjectURL(await read());
  const image = new Image();
  image.src = url;
  try {
    await image.decode();
  } catch (error) {
    URL.revokeObjectURL(url);
    throw error;
  }
  return { url, width: image.naturalWidth, height: image.naturalHeight, console: findConsole(image) };
}

/** The page is hidden or something lies over it: pictures may wait. */
const resting = (): boolean => document.hidden || uiState().sheet !== null;

/**
 * The picture under `key`. `live` asks for a new one every second; otherwise it is read once for each `version`.
 */
export function usePicture(
  key: string,
  read: (client: ReturnType<typeof useClient>) => Promise<Blob>,
  options: { live: boolean; version: string; enabled?: boolean },
): Picture | undefined {
  const client = useClient();
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const { live, version, enabled = true } = options;
  useEffect(() => {
    if (!enabled) return;
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const next = async () => {
      if (!resting() || !cache.has(key)) {
        try {
          const picture = await load(() => read(client));
          if (stopped) {
            URL.revokeObjectURL(picture.url);
            return;
          }
          remember(key, picture);
          redraw();
        } catch {
          // No picture (yet): the last one stays, the place is drawn without one otherwise.
        }
      }
      if (!stopped && live) timer = setTimeout(() => void next(), PERIOD);
    };
    timer = setTimeout(() => void next(), cache.has(key) ? 0 : SETTLE);
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
    // `read` is made anew by every caller; `key` says what it reads.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [client, key, live, version, enabled]);
  return cache.get(key);
}

/** States in which the guest's screen can change. */
const LIVE = new Set(["running", "starting", "stopping"]);

export const useThumbnail = (machine: { id: string; state: string; started_at: string | null }): Picture | undefined =>
  usePicture(`thumb:${machine.id}`, (client) => client.thumbnail(machine.id, Date.now()), {
    live: LIVE.has(machine.state),
    version: `${machine.state} ${machine.started_at ?? ""}`,
    enabled: machine.state !== "creating",
  });

/** Width asked for, for the large preview. */
const PREVIEW_WIDTH = 1_280;

export const usePreview = (machine: { id: string; state: string; started_at: string | null }): Picture | undefined => {
  const large = usePicture(`preview:${machine.id}`, (client) => client.screenshot(machine.id, PREVIEW_WIDTH), {
    live: LIVE.has(machine.state),
    version: `${machine.state} ${machine.started_at ?? ""}`,
    enabled: machine.state !== "creating",
  });
  return large ?? cache.get(`thumb:${machine.id}`);
};
