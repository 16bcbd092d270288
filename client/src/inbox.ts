// The events and notices that a subscription has read and its user has not taken, in order. Notices wait with the
// events, so that `onGap` is called between the event before the gap and the event after it.

/** When this many entries wait, reading pauses. */
export const MAX_WAITING = 1_000;

interface Entry<E> {
  /** The position after this entry. */
  position: string;
  event: E | undefined;
  call: (() => void) | undefined;
}

export interface Inbox<E> {
  /** The position after the last entry that was given. */
  position(): string;
  /** Adds an event, the call for a notice, or only a position. */
  put(position: string, event?: E, call?: () => void): void;
  isFull(): boolean;
  /** Resolves when there is room, or after the end. */
  room(): Promise<void>;
  /** No entry is added after this. When the user has taken all entries, the iteration ends, or throws `error`. */
  stop(error: Error | undefined): void;
  /** Discards the entries that wait. */
  clear(): void;
  next(): Promise<IteratorResult<E, undefined>>;
}

/** Calls a function of the user. If it throws, the error is reported as uncaught, and the stream goes on. */
export function callUser<A = void>(call: ((argument: A) => void) | undefined, argument?: A): void {
  try {
    call?.(argument as A);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** Makes an inbox. With `onEvent`, no entry waits. `position` is the one at which the stream begins. */
export function createInbox<E>(position: string, onEvent: ((event: E) => void) | undefined): Inbox<E> {
  const waiting: Entry<E>[] = [];
  let ended = false;
  let failure: Error | undefined;
  /** Called at the next change of `waiting` or `ended`. */
  let onChange: (() => void)[] = [];
  const change = () => {
    const calls = onChange;
    onChange = [];
    for (const call of calls) call();
  };
  const changed = () => new Promise<void>((resolve) => onChange.push(resolve));
  const isFull = () => waiting.length >= MAX_WAITING;
  const give = (entry: Entry<E>) => {
    position = entry.position;
    callUser(entry.call);
  };
  return {
    position: () => position,
    put(position, event, call = event && onEvent && (() => onEvent(event))) {
      const last = waiting.at(-1);
      const entry = { position, event, call };
      if (onEvent || !(event || last)) give(entry);
      else if (last && !event && !call) last.position = position;
      else {
        waiting.push(entry);
        change();
      }
    },
    isFull,
    async room() {
      while (isFull() && !ended) await changed();
    },
    stop(error) {
      ended = true;
      failure = error;
      change();
    },
    clear() {
      waiting.length = 0;
    },
    async next() {
      for (;;) {
        const entry = waiting.shift();
        if (entry) {
          change();
          give(entry);
          if (entry.event) return { done: false, value: entry.event };
        } else if (failure) throw failure;
        else if (ended) return { done: true, value: undefined };
        else await changed();
      }
    },
  };
}
