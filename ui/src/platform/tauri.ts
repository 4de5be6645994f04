/** The desktop window. The only file that may know Tauri; the shell's commands are in `src-tauri/src/commands.rs`. */
import { Channel, invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { getCurrentWindow } from "@tauri-apps/api/window";
import type { ApiResponse, ApiSocket, ApiSocketHandlers, FileDrop, Platform } from "./types";

/** Put on the page by the shell before anything else runs. */
interface ShellFacts {
  platform: string;
  version: string;
  gpu: boolean;
  decorations: boolean;
  machine: string | null;
}

const shellFacts = (): ShellFacts | undefined => (window as { __NESTBOX__?: ShellFacts }).__NESTBOX__;

type Incoming =
  | { type: "open" }
  | { type: "text"; data: string }
  | { type: "binary"; data: string }
  | { type: "close"; reason: string };

const bytesOf = (base64: string): ArrayBuffer => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer;

function base64Of(data: ArrayBuffer): string {
  let text = "";
  for (const byte of new Uint8Array(data)) text += String.fromCharCode(byte);
  return btoa(text);
}

function openSocket(path: string, handlers: ApiSocketHandlers): ApiSocket {
  let closed = false;
  const end = (reason: string) => {
    if (closed) return;
    closed = true;
    handlers.onClose(reason);
  };
  const channel = new Channel<Incoming>();
  channel.onmessage = (message) => {
    if (closed) return;
    if (message.type === "open") handlers.onOpen?.();
    else if (message.type === "text") handlers.onMessage(message.data);
    else if (message.type === "binary") handlers.onMessage(bytesOf(message.data));
    else end(message.reason);
  };
  const events = path === "/v1/events";
  const opened = events
    ? invoke<number>("events_subscribe", { channel })
    : invoke<number>("socket_open", { path, channel });
  opened.catch((error: unknown) => end(JSON.stringify(error)));
  return {
    send(data) {
      const message =
        typeof data === "string" ? { type: "text", data } : { type: "binary", data: base64Of(data) };
      void opened.then((id) => invoke("socket_send", { id, message })).catch(() => {});
    },
    close() {
      closed = true;
      void opened.then((id) => invoke("socket_close", { id })).catch(() => {});
    },
  };
}

/** Calls `handler` with what the shell emits under `name`. */
function onShellEvent<T>(name: string, handler: (payload: T) => void): () => void {
  const stop = listen<T>(name, (event) => handler(event.payload));
  return () => void stop.then((unlisten) => unlisten()).catch(() => {});
}

export function createTauriPlatform(): Platform {
  const current = getCurrentWindow();
  const shell = shellFacts();
  const quietly = (promise: Promise<unknown>) => void promise.catch(() => {});
  return {
    kind: "tauri",
    request: (method, path, body) => invoke<ApiResponse>("api_request", { method, path, body: body ?? null }),
    async picture(path) {
      const bytes = await invoke<ArrayBuffer>("api_picture", { path });
      return new Blob([bytes], { type: "image/png" });
    },
    openSocket,
    onFilesDropped: (handler) => onShellEvent<FileDrop>("files-dropped", handler),
    onShowMachine: (handler) => onShellEvent<string>("show-machine", handler),
    pickFiles: (options) => invoke<string[]>("pick_file", { options }),
    pickFolder: (title) => invoke<string | null>("pick_folder", { title }),
    pickSavePath: (options) =>
      invoke<string | null>("pick_save_path", { options: { folder: null, ...options } }),
    async saveFile(suggestedName, data) {
      const base64 = base64Of(await data.arrayBuffer());
      return invoke<string | null>("save_file", { suggestedName, data: base64 });
    },
    copyText: (text) => invoke("clipboard_write", { text }),
    readClipboard: () => invoke<string>("clipboard_read"),
    openUrl: (url) => invoke("open_url", { url }),
    showInFolder: (path) => invoke("show_in_folder", { path }),
    onCloseRequested(handler) {
      const stop = current.onCloseRequested((event) => {
        event.preventDefault();
        handler();
      });
      return () => void stop.then((unlisten) => unlisten()).catch(() => {});
    },
    closeWindow: () => quietly(current.destroy()),
    setFullscreen: (on) => current.setFullscreen(on),
    windowControls:
      shell?.decorations || shell?.platform === "macos"
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
    facts: {
      version: shell?.version ?? null,
      gpu: shell?.gpu ?? true,
      machine: shell?.machine ?? null,
      mac: shell?.platform === "macos",
    },
  };
}
