/** Puts the client, the query cache and the events socket under the window. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { Platform } from "../platform/types";
import { ApiError, type Client, createClient } from "./client";
import { type ConnectionState, connectEvents } from "./events";
import type { ServiceEvent } from "./types";

interface DataContextValue {
  client: Client;
  connection: ConnectionState;
  onEvent: (listener: (event: ServiceEvent) => void) => () => void;
}

const DataContext = createContext<DataContextValue | null>(null);

/** Events keep the cache true, so nothing goes stale by itself. Only an unreachable service is worth retrying. */
export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Infinity,
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        retry: (count, error) => count < 3 && error instanceof ApiError && error.status === 0,
        retryDelay: (attempt) => 200 * 2 ** attempt,
        networkMode: "always",
      },
      mutations: { retry: false, networkMode: "always" },
    },
  });
}

export function DataProvider(props: { platform: Platform; children: ReactNode }) {
  const { platform, children } = props;
  const [queries] = useState(createQueryClient);
  const client = useMemo(() => createClient(platform), [platform]);
  const [connection, setConnection] = useState<ConnectionState>("connecting");
  const listeners = useRef(new Set<(event: ServiceEvent) => void>());

  useEffect(
    () =>
      connectEvents(platform, queries, setConnection, (event) => {
        for (const listener of listeners.current) listener(event);
      }),
    [platform, queries],
  );

  const value = useMemo<DataContextValue>(
    () => ({
      client,
      connection,
      onEvent: (listener) => {
        listeners.current.add(listener);
        return () => listeners.current.delete(listener);
      },
    }),
    [client, connection],
  );
  return (
    <QueryClientProvider client={queries}>
      <DataContext.Provider value={value}>{children}</DataContext.Provider>
    </QueryClientProvider>
  );
}

function useData(): DataContextValue {
  const value = useContext(DataContext);
  if (!value) throw new Error("DataProvider is missing");
  return value;
}

/** The typed client. */
export const useClient = (): Client => useData().client;

/** Whether events arrive. */
export const useConnection = (): ConnectionState => useData().connection;

/** Calls `listener` with every event, after the cache has it. */
export function useServiceEvents(listener: (event: ServiceEvent) => void): void {
  const { onEvent } = useData();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => onEvent((event) => latest.current(event)), [onEvent]);
}
