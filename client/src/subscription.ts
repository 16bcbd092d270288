// A subscription: turns the messages of a stream into events, calls of the user's functions, and a status.
import type { HubEvent, Status, SubscribeOptions, Subscription } from "./api.ts";
import { isAfter, listOf, pathOf, splitId } from "./channels.ts";
import { keepOpen, type Message, type Reader } from "./connection.ts";
import { callUser, createInbox } from "./inbox.ts";
import type { HubError } from "./problem.ts";
import type { Connected } from "./request.ts";
import type { Member } from "./tabs.ts";
import { childOf } from "./timing.ts";

/** The data of the notices. Each notice has some of the members. */
interface Notice {
  channel: string;
  count: number | null;
  from: string | null;
  to: string;
  detail: string;
}

/** Subscribes. Throws a TypeError for a bad channel id or option. */
export function subscribe<T>(
  hub: Connected,
  list: string | readonly string[],
  options: SubscribeOptions<T> = {},
): Subscription<T> {
  const channels = listOf(list);
  const { catchUp = false, history, types, parse, signal, lastEventId = "", onEvent } = options;
  if (!/^[!-~]*$/.test(lastEventId)) throw new TypeError("lastEventId: expected the id of an event");
  const inbox = createInbox<HubEvent<T>>(lastEventId, onEvent);
  const closing = new AbortController();
  const isClosed = () => closing.signal.aborted;
  /** The id of the last event or notice that was read. */
  let position = lastEventId;
  /** The id of the last event of each channel. An event that is not after it was read before. */
  const last = new Map<string, string>();
  const ended = new Set<string>();
  let status: Status = { state: "connecting", attempt: 1, reason: "the subscription begins" };
  /** Controls the own stream, if there is one. */
  let own: AbortController | undefined;
  const done = new Promise<void>((resolve, reject) => {
    closing.signal.addEventListener("abort", () => {
      const { error } = status as { error?: HubError };
      inbox.stop(error);
      error ? reject(error) : resolve();
    });
  });
  // A user that does not await `done` gets no unhandled rejection. The status also has the refusal.
  done.catch(() => {});

  function setStatus(state: Status["state"], reason: string, attempt = 0, more = {}) {
    if (isClosed()) return;
    status = { state, attempt, reason, ...more } as Status;
    callUser(options.onStatus, status);
  }

  function finish(error?: HubError) {
    if (error) setStatus("refused", error.detail, 0, { error });
    else {
      for (const channel of channels) end(channel);
      setStatus("ended", "every channel has ended");
    }
    closing.abort();
  }

  function close() {
    inbox.clear();
    setStatus("ended", "the subscription was closed");
    closing.abort();
  }

  const put = (event?: HubEvent<T>, call?: () => void) => inbox.put(position, event, call);
  const report = (channel: string, detail: string) => put(undefined, () => options.onError?.({ channel, detail }));

  function end(channel: string) {
    if (ended.has(channel)) return;
    ended.add(channel);
    put(undefined, () => options.onEnd?.(channel));
  }

  /** Takes a message of the own stream, or of the stream of another tab. */
  function receive({ event: type = "message", data, id = "" }: Message) {
    if (isClosed()) return;
    const isNotice = type.startsWith("hub.");
    const notice: Notice = isNotice && JSON.parse(data);
    const [ofId = channels[0] as string, short] = splitId(id);
    const channel = isNotice ? notice.channel : ofId;
    const before = last.get(channel);
    // A gap of unknown size means that the ids of the channel begin again.
    const isNew = id && (!before || notice.from === null || isAfter(short, before));
    if (type === "hub.open") {
      ended.delete(channel);
      // The stream of another tab may have been opened after events that this tab does not have.
      if (before) return;
    }
    if (isNew) {
      position = id;
      last.set(channel, short);
    }
    if (type === "hub.error") return report(channel, notice.detail);
    if (type === "hub.end") {
      end(channel);
      if (channels.every((channel) => ended.has(channel))) finish();
      return;
    }
    if (!isNew) return;
    if (isNotice) {
      const { count, from, to } = notice;
      const call = type === "hub.gap" ? options.onGap : type === "hub.dropped" ? options.onDropped : undefined;
      return put(undefined, call && (() => call({ channel, count, from, to })));
    }
    ended.delete(channel);
    if (types && !types.includes(type)) return put();
    let value = data as T;
    try {
      if (parse) value = JSON.parse(data);
    } catch {
      return report(channel, `the data of event ${short} is not JSON`);
    }
    put({ channel, id: short, type, data: value });
  }

  let reader: Reader = {
    path: pathOf(channels, "", { history, catch_up: catchUp ? 1 : undefined }),
    position: () => position,
    receive,
    setStatus,
    isFull: inbox.isFull,
    room: inbox.room,
    finish,
  };

  function run(wanted: boolean) {
    if (!wanted) {
      own?.abort();
      own = undefined;
    } else if (!own) {
      own = childOf(closing.signal);
      keepOpen(hub, reader, own.signal);
    }
  }

  async function begin() {
    if (hub.shareTabs) {
      const member: Member = { url: hub.url, channels, catchUp, last, signal: closing.signal, run };
      // If this module cannot be loaded, the subscription keeps a stream of its own.
      const tabs = await import("./tabs.ts").catch(() => undefined);
      if (tabs) reader = tabs.share(reader, member);
    }
    if (!isClosed()) run(true);
  }

  for (const other of [signal, hub.signal]) {
    other?.addEventListener("abort", close, { signal: closing.signal });
    if (other?.aborted) close();
  }
  // The caller has the subscription before its functions are called.
  queueMicrotask(begin);

  return {
    channels,
    done,
    close,
    get status() {
      return status;
    },
    get lastEventId() {
      return inbox.position();
    },
    [Symbol.asyncIterator]() {
      if (onEvent) throw new TypeError("iteration: onEvent gets the events");
      return {
        next: inbox.next,
        async return() {
          close();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
