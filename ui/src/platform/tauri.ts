/** The desktop window. The only file that may know Tauri. */
import { Channel, invoke } from "@tauri-apps/api/core";
import { getCurrentWebview } from "@tauri-apps/api/webview";
import { getCurrentWindow } from "@tauri-apps/api/window";
import type { ApiResponse, ApiSocket, ApiSocketHandlers, FileDrop, Platform } from "./types";

/** Custom scheme of the shell for pictures of the service. */
const PICTURE_SCHEME = "nestbox-img";

const nameOf = (path: string): string => path.split(/[\\/]/).pop() ?? path;

/** Windows and Android serve custom schemes over http; the others know them as they are. */
const pictureUrl = (path: string): string =>
  navigator.userAgent.includes("Windows")
    ? `http://${PICTURE_SCHEME}.localhost${path}`
    : `${PICTURE_SCHEME}://localhost${path}`;

/** An `<img>` may use the scheme, `fetch` may not: the picture is drawn and read back. */
async function picture(path: string): Promise<Blob> {
  const image = new Image();
  image.crossOrigin = "anonymous";
  image.src = pictureUrl(path);
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  canvas.getContext("2d")?.drawImage(image, 0, 0);
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("picture")))),
  );
}

type EventMessage = string | { closed: string } | { open: true };

/** The service's events come through one channel; other sockets are opened on loopback by their own address. */
function openSocket(path: string, handlers: ApiSocketHandlers): ApiSocket {
  let closed = false;
  const end = (reason: string) => {
    if (closed) return;
    closed = true;
    handlers.onClose(reason);
  };
  if (path.split("?")[0] !== "/v1/events") {
    queueMicrotask(() => end("unsupported"));
    return { send: () => {}, close: () => (closed = true) };
  }
  const channel = new Channel<EventMessage>();
  channel.onmessage = (message) => {
    if (closed) return;
    if (typeof message === "string") handlers.onMessage(message);
    else if ("closed" in message) end(message.closed);
    else if (!("open" in message)) handlers.onMessage(JSON.stringify(message));
  };
  invoke("events_subscribe", { channel }).then(
    () => {
      if (!closed) handlers.onOpen?.();
    },
    (error: unknown) => end(String(error)),
  );
  return { send: () => {}, close: () => (closed = true) };
}

function onFilesDropped(handler: (drop: FileDrop) => void): () => void {
  const stop = getCurrentWebview().onDragDropEvent(({ payload }) => {
    if (payload.type === "enter") {
      handler({ type: "enter", names: payload.paths.map(nameOf), count: payload.paths.length });
    } else if (payload.type === "drop") handler({ type: "drop", paths: payload.paths });
    else if (payload.type === "leave") handler({ type: "leave" });
  });
  return () => void stop.then((unlisten) => unlisten());
}

export function createTauriPlatform(): Platform {
  const current = getCurrentWindow();
  const quietly = (promise: Promise<unknown>) => void promise.catch(() => {});
  const isMac = navigator.userAgent.includes("Mac OS");
  return {
    kind: "tauri",
    request: (method, path, body) => invoke<ApiResponse>("api_request", { method, path, body: body ?? null }),
    picture,
    pictureUrl,
    openSocket,
    onFilesDropped,
    async pickFiles(options) {
      const chosen = await invoke<string[] | string | null>("pick_file", { options });
      if (chosen === null) return [];
      return Array.isArray(chosen) ? chosen : [chosen];
    },
    saveFile(name, data) {
      const url = URL.createObjectURL(data);
      const link = document.createElement("a");
      link.href = url;
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
      return Promise.resolve(name);
    },
    copyText: (text) => navigator.clipboard.writeText(text),
    readClipboard: () => navigator.clipboard.readText(),
    openUrl: (url) => invoke("open_url", { url }),
    showInFolder: (path) => invoke("show_in_folder", { path }),
    setFullscreen: (on) => current.setFullscreen(on),
    windowControls: isMac
      ? null
      : {
          minimize: () => quietly(current.minimize()),
          toggleMaximize: () => quietly(current.toggleMaximize()),
          close: () => quietly(current.close()),
          isMaximized: () => current.isMaximized(),
        },
    setTheme: (theme) => quietly(current.setTheme(theme)),
    setTitle: (title) => {
      document.title = title;
      quietly(current.setTitle(title));
    },
  };
}
