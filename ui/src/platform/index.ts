import { createTauriPlatform } from "./tauri";
import type { Platform } from "./types";
import { createWebPlatform } from "./web";

/** The host this page runs in. */
export const platform: Platform = "__TAURI_INTERNALS__" in window ? createTauriPlatform() : createWebPlatform();
