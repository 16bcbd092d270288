// The React hook of the client.
import { useEffect, useRef, useState } from "react";
import type { Hub, HubEvent, Status, SubscribeOptions } from "./api.ts";

/** The options of `useChannel`. The functions may be new ones in each render. */
export interface ChannelOptions<T = string> extends Omit<SubscribeOptions<T>, "signal"> {
  /** How many of the newest events `events` holds: at least 1. Default: 100. */
  keep?: number | undefined;
}

export interface ChannelState<T = string> {
  /** The newest events, the oldest first. */
  events: readonly HubEvent<T>[];
  /** The newest event. */
  last: HubEvent<T> | undefined;
  status: Status;
}

const CONNECTING: Status = { state: "connecting", attempt: 1, reason: "" };
const NO_CHANNEL: Status = { state: "ended", attempt: 0, reason: "no channel is named" };

/**
 * Subscribes to one channel or several while the component is mounted, and renders it again when an event arrives or the
 * status changes. With an empty list, it subscribes to nothing. Begins again if `hub`, the channels, `history`,
 * `catchUp`, `types` or `parse` change. `hub` has to be made outside of the component, or with `useMemo`.
 */
export function useChannel<T = string>(
  hub: Hub,
  channels: string | readonly string[],
  options: ChannelOptions<T> = {},
): ChannelState<T> {
  const newest = useRef(options);
  useEffect(() => {
    newest.current = options;
  });
  const [state, setState] = useState<Omit<ChannelState<T>, "last">>({ events: [], status: CONNECTING });
  const { history, catchUp, parse } = options;
  const list = JSON.stringify(channels);
  const types = JSON.stringify(options.types);
  useEffect(() => {
    const wanted: string | string[] = JSON.parse(list);
    setState({ events: [], status: wanted.length > 0 ? CONNECTING : NO_CHANNEL });
    if (wanted.length === 0) return;
    const closing = new AbortController();
    hub.subscribe<T>(wanted, {
      history,
      catchUp,
      parse,
      types: types && JSON.parse(types),
      lastEventId: newest.current.lastEventId,
      signal: closing.signal,
      onEvent(event) {
        const { keep = 100, onEvent } = newest.current;
        setState(({ events, status }) => ({ events: [...events, event].slice(-Math.max(1, keep)), status }));
        onEvent?.(event);
      },
      onStatus(status) {
        if (closing.signal.aborted) return;
        setState(({ events }) => ({ events, status }));
        newest.current.onStatus?.(status);
      },
      onGap: (missing) => newest.current.onGap?.(missing),
      onDropped: (missing) => newest.current.onDropped?.(missing),
      onEnd: (channel) => newest.current.onEnd?.(channel),
      onError: (error) => newest.current.onError?.(error),
    });
    return () => closing.abort();
  }, [hub, list, history, catchUp, parse, types]);
  return { ...state, last: state.events.at(-1) };
}
