/** Puts the client, the query cache and the events socket under the window. */
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef, useState } from "react";
import type { Platform } from "../platform/types";
import { ApiError, type Client, createClient } from "./client";
import { type ConnectionState, connectEvents } from "./events";
import { keys } from "./keys";
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

/** Where the window's data come from. Made before anything is drawn, so that reading begins while React does. */
export interface DataSource {
  platform: Platform;
  client: Client;
  queries: QueryClient;
}

export function createDataSource(platform: Platform): DataSource {
  return { platform, client: createClient(platform), queries: createQueryClient() };
}

/** Reads what every window shows first. Settles when the machines are there, or can't be had. */
export async function readAhead({ client, queries }: DataSource): Promise<void> {
  // What fails is read again by what needs it, and said there.
  const quietly = (read: Promise<unknown>) => read.catch(() => undefined);
  const machines = quietly(queries.query({ queryKey: keys.machines, queryFn: client.machines }));
  void quietly(queries.query({ queryKey: keys.config, queryFn: client.config }));
  void quietly(queries.query({ queryKey: keys.jobs, queryFn: client.jobs }));
  void quietly(queries.query({ queryKey: keys.trash, queryFn: client.trash }));
  await machines;
}

export function DataProvider(props: { source: DataSource; children: ReactNode }) {
  const { source, children } = props;
  const { platform, client, queries } = source;
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
