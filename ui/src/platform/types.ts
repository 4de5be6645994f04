/**
 * Everything the window may ask of its host. Nothing else in `ui/` may reach for Tauri or for `fetch`;
 * three implementations exist: the desktop window, a plain browser, and a mock for tests.
 */

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** An answer of the service: `body` is parsed JSON, or null when there is none. */
export interface ApiResponse {
  status: number;
  body: unknown;
}

/** A message socket of the service (events, serial consoles). Closing it is final; reconnecting is the caller's. */
export interface ApiSocket {
  send(data: string | ArrayBuffer): void;
  close(): void;
}

export interface ApiSocketHandlers {
  onOpen?(): void;
  onMessage(data: string | ArrayBuffer): void;
  onClose(reason: string): void;
}

/** Files over or on the window. Paths are absolute; a browser knows no paths and passes what it knows: names. */
export type FileDrop =
  | { type: "enter"; names: string[]; count: number }
  | { type: "leave" }
  | { type: "drop"; paths: string[] };

export interface PickOptions {
  title: string;
  multiple: boolean;
  /** Without dots: `["iso", "qcow2"]`. */
  extensions?: string[];
  extensionsName?: string;
}

export interface SaveOptions {
  title: string;
  /** Proposed file name, with its ending. */
  name: string;
  /** Absolute folder to begin in. */
  folder?: string | null;
}

export interface Platform {
  readonly kind: "tauri" | "web" | "mock";
  /** `path` starts with `/v1/`. Rejects only when the service can't be reached. */
  request(method: Method, path: string, body?: unknown): Promise<ApiResponse>;
  /** A picture of the service (PNG). Rejects when there is none. */
  picture(path: string): Promise<Blob>;
  openSocket(path: string, handlers: ApiSocketHandlers): ApiSocket;
  /** Returns the function that stops listening. */
  onFilesDropped(handler: (drop: FileDrop) => void): () => void;
  /** Absolute paths; empty when the user cancelled. */
  pickFiles(options: PickOptions): Promise<string[]>;
  /** Asks for a folder: its absolute path, or null when the user cancelled or the host has no such dialog. */
  pickFolder(title: string): Promise<string | null>;
  /** Asks where to save, and writes nothing: as `pickFolder`. The dialog asks before a file that is there is chosen. */
  pickSavePath(options: SaveOptions): Promise<string | null>;
  /** Asks where and writes; null when cancelled. A browser downloads it. */
  saveFile(suggestedName: string, data: Blob): Promise<string | null>;
  copyText(text: string): Promise<void>;
  readClipboard(): Promise<string>;
  openUrl(url: string): Promise<void>;
  showInFolder(path: string): Promise<void>;
  /**
   * Someone asks the window to close; while there is a handler, it only closes by `closeWindow`. Returns the
   * function that lets it close again.
   */
  onCloseRequested(handler: () => void): () => void;
  /** Closes the window without asking. */
  closeWindow(): void;
  setFullscreen(on: boolean): Promise<void>;
  /** The window's own buttons; null where the host draws them (a browser, macOS). */
  readonly windowControls: WindowControls | null;
  /** Tells the host which colours its own parts should have. */
  setTheme(theme: "light" | "dark" | null): void;
  setTitle(title: string): void;
  /** What the host knew before the page asked anything. */
  readonly facts: HostFacts;
  /** Another start of the program asks for a machine to be shown. Returns the function that stops listening. */
  onShowMachine(handler: (machine: string) => void): () => void;
}

export interface HostFacts {
  version: string | null;
  /** A GPU draws the page; without one, motion is switched off. */
  gpu: boolean;
  /** Machine to show first (id or name). */
  machine: string | null;
  mac: boolean;
}

/** What the buttons of the title bar do. */
export interface WindowControls {
  minimize(): void;
  toggleMaximize(): void;
  close(): void;
  isMaximized(): Promise<boolean>;
}
