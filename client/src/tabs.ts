// One stream for all tabs that subscribe to the same channels with the same rights.
//
// Each tab begins with a stream of its own, as without sharing. One tab holds a Web Lock: the leader. It passes each
// message of its stream on to the others through a BroadcastChannel. Another tab closes its own stream and follows as
// soon as it has got everything that the leader has passed on so far: the leader's last ids tell it that. From then on,
// it takes what the leader passes on. If the leader closes or crashes, the browser gives the lock to the next tab, which
// opens a stream after the last message that it has got. A follower opens a stream of its own again if it has missed a
// message, if its leader is silent, or if it is too slow.
//
// So no tab loses an event. An event that arrives twice is given once, because each subscription compares ids.
import { isAfter } from "./channels.ts";
import type { Message, Reader } from "./connection.ts";
import { childOf } from "./timing.ts";
import { claimsOf } from "./token.ts";
import { createWatchdog } from "./watchdog.ts";

/** How long a tab that is behind waits before it asks the leader again, in milliseconds. */
const ASK_AGAIN_MS = 500;

/** Part of the name of a group. Change it with the messages: tabs may have loaded different versions of the client. */
const PROTOCOL = "sse-broadcaster 1";
// The kinds of messages between tabs.
/** A tab asks the leader for its last ids. */
const WHERE = 0;
/** The leader has this last id in each channel. */
const LAST_IDS = 1;
/** A message of the leader's stream. */
const MESSAGE = 2;
/** The status of the leader's stream. */
const STATUS = 3;

/** Claims that differ between two tokens of the same user. */
const CHANGING = ["exp", "iat", "nbf", "jti"];

/** A subscription that shares its stream. */
export interface Member {
  /** The URL of its hub. */
  url: string;
  channels: readonly string[];
  catchUp: boolean;
  /** The id of the last event of each channel that was read. */
  last: ReadonlyMap<string, string>;
  signal: AbortSignal;
  /** Opens a stream of its own, or closes it. Does nothing if that is done. */
  run(wanted: boolean): void;
}

/** Returns a text that is equal for tokens of the same user with the same rights. */
export function identityOf(token = ""): string {
  try {
    return JSON.stringify(
      Object.entries(claimsOf(token))
        .filter(([name]) => !CHANGING.includes(name))
        .sort(),
    );
  } catch {
    return token;
  }
}

/** The tabs that share one stream, as one of them sees them. */
interface Group {
  name: string;
  leads(): boolean;
  tellLastIds(): void;
  post(kind: number, value?: unknown): void;
  resign(): void;
  leave(): void;
}

/**
 * Joins the group `name`. `reader` is the reader of the subscription. `isOpen` says whether the last status was "open".
 */
function join(name: string, reader: Reader, member: Member, isOpen: () => boolean): Group {
  const bus = new BroadcastChannel(name);
  const leaving = childOf(member.signal);
  const watchdog = createWatchdog();
  let leads = false;
  let follows = false;
  let release = () => {};
  let again: ReturnType<typeof setTimeout> | undefined;

  const post = (kind: number, value?: unknown) => bus.postMessage([kind, value]);
  const tellLastIds = () => {
    if (leads && isOpen()) post(LAST_IDS, member.last);
  };
  const follow = (wanted: boolean) => {
    if (wanted === follows) return;
    follows = wanted;
    if (wanted) watchdog.start(() => follow(false));
    else watchdog.stop();
    member.run(!wanted);
  };
  /** Whether this tab has everything that the leader has passed on. */
  const covers = (ids: ReadonlyMap<string, string>) =>
    member.channels.every((channel) => {
      const [own, other] = [member.last.get(channel), ids.get(channel)];
      return own && other && !isAfter(other, own);
    });

  bus.onmessage = ({ data: [kind, value] }) => {
    if (kind === WHERE) tellLastIds();
    if (leads || kind === WHERE) return;
    if (follows) watchdog.touch();
    if (kind === LAST_IDS) {
      const isLevel = covers(value);
      const followed = follows;
      clearTimeout(again);
      if (!isLevel) again = setTimeout(post, ASK_AGAIN_MS, WHERE);
      follow(isLevel && !reader.isFull());
      if (follows && !(followed && isOpen())) reader.setStatus("open", "the stream is open in another tab");
    } else if (follows && kind === STATUS) reader.setStatus(...(value as Parameters<Reader["setStatus"]>));
    else if (follows) {
      reader.receive(value);
      if (reader.isFull()) follow(false);
    }
  };

  const lead = () => {
    const request = navigator.locks.request(name, { signal: leaving.signal }, () => {
      leads = true;
      follow(false);
      tellLastIds();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    // It fails if this tab leaves before it leads.
    request.catch(() => {});
  };
  const stopLeading = () => {
    leads = false;
    release();
  };
  lead();
  leaving.signal.addEventListener("abort", () => {
    stopLeading();
    watchdog.stop();
    clearTimeout(again);
    bus.close();
  });
  return {
    name,
    leads: () => leads,
    tellLastIds,
    post,
    resign() {
      if (!leads) return;
      stopLeading();
      lead();
    },
    leave: () => leaving.abort(),
  };
}

/** Returns a reader that shares the own stream of a subscription. `reader` is the reader of the subscription. */
export function share(reader: Reader, member: Member): Reader {
  // Web Locks need https or localhost.
  if (!globalThis.navigator?.locks || !globalThis.BroadcastChannel) return reader;
  const { url, channels, catchUp } = member;
  let group: Group | undefined;
  let isOpen = false;
  /** The reader of the subscription. It also notes the status, of the own stream or of the leader's. */
  const own: Reader = {
    ...reader,
    setStatus(...status) {
      isOpen = status[0] === "open";
      reader.setStatus(...status);
    },
  };
  return {
    ...own,
    // Subscriptions with different claims share nothing. A renewed token may belong to another user.
    use(token) {
      const name = JSON.stringify([PROTOCOL, url, [...channels].sort(), catchUp, identityOf(token)]);
      // The subscription may have been closed while the token was fetched.
      if (group?.name === name || member.signal.aborted) return;
      group?.leave();
      group = join(name, own, member, () => isOpen);
    },
    receive(message: Message) {
      if (group?.leads()) group.post(MESSAGE, message);
      reader.receive(message);
    },
    setStatus(...status) {
      own.setStatus(...status);
      if (!group?.leads()) isOpen && group?.post(WHERE);
      else if (isOpen) group.tellLastIds();
      else group.post(STATUS, status);
    },
    beat: () => group?.tellLastIds(),
    room() {
      // Another tab should lead while this one waits for its user.
      group?.resign();
      return reader.room();
    },
  };
}
