/** The browser: fetch and WebSocket on the page's own origin, with the session the service gave it. */
import type { ApiSocket, ApiSocketHandlers, FileDrop, Platform, WindowControls } from "./types";

const TOKEN_KEY = "nestbox.token";

/** Takes `?token=` off the address (it must not be bookmarked) and keeps it for this tab. */
function sessionToken(): string | null {
  const url = new URL(window.location.href);
  const token = url.searchParams.get("token");
  if (token) {
    sessionStorage.setItem(TOKEN_KEY, token);
    url.searchParams.delete("token");
    window.history.replaceState(null, "", url);
  }
  return sessionStorage.getItem(TOKEN_KEY);
}

function openSocket(path: string, token: string | null, handlers: ApiSocketHandlers): ApiSocket {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  if (token) url.searchParams.set("token", token);
  const socket = new WebSocket(url);
  let closed = false;
  socket.binaryType = "arraybuffer";
  socket.onopen = () => handlers.onOpen?.();
  socket.onmessage = (event) => handlers.onMessage(event.data as string | ArrayBuffer);
  socket.onclose = (event) => {
    if (!closed) handlers.onClose(event.reason);
    closed = true;
  };
  return {
    send: (data) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
    close: () => {
      closed = true;
      socket.close();
    },
  };
}

/** A browser tells names on drop and the number of files before. */
function onFilesDropped(handler: (drop: FileDrop) => void): () => void {
  let depth = 0;
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const enter = (event: DragEvent) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth += 1;
    if (depth === 1) handler({ type: "enter", names: [], count: event.dataTransfer?.items.length ?? 0 });
  };
  const over = (event: DragEvent) => {
    if (hasFiles(event)) event.preventDefault();
  };
  const leave = (event: DragEvent) => {
    if (!hasFiles(event)) return;
    depth = Math.max(0, depth - 1);
    if (depth === 0) handler({ type: "leave" });
  };
  const drop = (event: DragEvent) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    handler({ type: "drop", paths: Array.from(event.dataTransfer?.files ?? [], (file) => file.name) });
  };
  window.addEventListener("dragenter", enter);
  window.addEventListener("dragover", over);
  window.addEventListener("dragleave", leave);
  window.addEventListener("drop", drop);
  return () => {
    window.removeEventListener("dragenter", enter);
    window.removeEventListener("dragover", over);
    window.removeEventListener("dragleave", leave);
    window.removeEventListener("drop", drop);
  };
}

/** Lets the user choose files; a browser tells their names only. */
function pickFiles(multiple: boolean, extensions: string[] | undefined): Promise<string[]> {
  return new Promise((resolve) => {
    const input = document.createElement("input");
    input.type = "file";
    input.multiple = multiple;
    if (extensions) input.accept = extensions.map((extension) => `.${extension}`).join(",");
    input.onchange = () => resolve(Array.from(input.files ?? [], (file) => file.name));
    input.oncancel = () => resolve([]);
    input.click();
  });
}

function download(name: string, data: Blob): void {
  const url = URL.createObjectURL(data);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

type WindowParts = Pick<Platform, "windowControls" | "onCloseRequested" | "closeWindow">;

/** Pictures and tests of the page as a window need its buttons; a window that was closed says so on its root. */
function previewWindow(): WindowParts {
  let asked: (() => void) | null = null;
  const closeWindow = () => {
    document.documentElement.dataset.closed = "true";
  };
  const windowControls: WindowControls = {
    minimize: () => {},
    toggleMaximize: () => {},
    close: () => (asked ?? closeWindow)(),
    isMaximized: () => Promise.resolve(false),
  };
  return {
    windowControls,
    closeWindow,
    onCloseRequested(handler) {
      asked = handler;
      return () => {
        asked = null;
      };
    },
  };
}

/** A tab: the browser asks in its own words or not at all; machines outlive tabs as they outlive windows. */
const tab: WindowParts = {
  windowControls: null,
  onCloseRequested: () => () => {},
  closeWindow: () => window.close(),
};

const isPreview = (): boolean =>
  import.meta.env.MODE !== "production" && new URLSearchParams(window.location.search).get("controls") === "1";

export function createWebPlatform(): Platform {
  const token = sessionToken();
  const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
  return {
    kind: "web",
    ...(isPreview() ? previewWindow() : tab),
    async request(method, path, body) {
      const answer = await fetch(path, {
        method,
        headers: body === undefined ? headers : { ...headers, "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body),
      });
      const text = await answer.text();
      let parsed: unknown = null;
      if (text) {
        try {
          parsed = JSON.parse(text);
        } catch {
          parsed = null;
        }
      }
      return { status: answer.status, body: parsed };
    },
    async picture(path) {
      const answer = await fetch(path, { headers });
      if (!answer.ok) throw new Error(String(answer.status));
      return answer.blob();
    },
    openSocket: (path, handlers) => openSocket(path, token, handlers),
    onFilesDropped,
    pickFiles: (options) => pickFiles(options.multiple, options.extensions),
    pickFolder: () => Promise.resolve(null),
    pickSavePath: () => Promise.resolve(null),
    saveFile(name, data) {
      download(name, data);
      return Promise.resolve(name);
    },
    copyText: (text) => navigator.clipboard.writeText(text),
    readClipboard: () => navigator.clipboard.readText(),
    openUrl(url) {
      window.open(url, "_blank", "noopener");
      return Promise.resolve();
    },
    showInFolder: () => Promise.reject(new Error("unsupported")),
    async setFullscreen(on) {
      if (on) await document.documentElement.requestFullscreen();
      else if (document.fullscreenElement) await document.exitFullscreen();
    },
    setTheme: () => {},
    facts: { version: null, gpu: true, machine: null, mac: navigator.userAgent.includes("Mac OS") },
    onShowMachine: () => () => {},
    setTitle: (title) => {
      document.title = title;
    },
  };
}
