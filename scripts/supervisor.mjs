// Keeps workerd running: starts it again when it ends by itself.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** The first restart in a row comes at once, the next after this long, each later one after twice as long as before. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
/** A workerd that has served for so long ends the row. */
const STABLE_MS = 60_000;
/** What workerd says of alarms that were set later while it was not running: see alarms.mjs. */
const EXPECTED_WARNING = "SQLite alarm overdue, running despite AlarmManager mismatch";
/** How long the last words of a workerd that has ended may take to arrive. */
const LAST_WORDS_MS = 500;
/** How much of what workerd said last is kept, to find out why it ended. */
const KEPT_CHARACTERS = 4_000;

/** How long to wait before each restart. */
export class Backoff {
  restarts = 0;

  /** For a workerd that has served for `upMs`. */
  pause(upMs) {
    if (upMs >= STABLE_MS) this.restarts = 0;
    const pause = this.restarts === 0 ? 0 : FIRST_PAUSE_MS * 2 ** (this.restarts - 1);
    this.restarts += 1;
    return Math.min(pause, LONGEST_PAUSE_MS);
  }
}

/** Why workerd ended and what helps, as far as `how` it ended and what it `said` last show it. */
export function cause(how, said) {
  if (said.includes("Too many open files")) {
    const help = "raise the limit (ulimit -n), and limit the connections of each client in a proxy in front";
    return `it reached its limit of open files; ${help}: docs/self-hosting.md`;
  }
  if (how === "signal SIGKILL") return "somebody killed it, or the kernel did because memory ran out";
  return "its last words are above";
}

/** Passes on what workerd writes to stderr, line by line, and keeps the end of it. */
export class Tail {
  text = "";

  constructor(child) {
    const lines = createInterface({ input: child.stderr, crlfDelay: Infinity });
    lines.on("line", (line) => {
      if (line.includes(EXPECTED_WARNING)) return;
      process.stderr.write(`${line}\n`);
      this.text = `${this.text}${line}\n`.slice(-KEPT_CHARACTERS);
    });
    this.ended = once(lines, "close");
  }
}

/**
 * A workerd that is started again when it ends. `start` starts one: it is given a function to call with the child
 * process before workerd does anything, and resolves when workerd answers. `say` logs a line.
 */
export class Supervisor {
  #backoff = new Backoff();
  #stopping = new AbortController();

  constructor(start, say) {
    Object.assign(this, { startWorkerd: start, say });
  }

  /** Starts workerd for the first time. Throws when it does not get so far as to answer. */
  async start() {
    this.workerd = await this.startWorkerd((child) => (this.tail = new Tail(child)));
    this.since = performance.now();
  }

  /** Starts workerd again whenever it ends. Returns after `stop`. */
  async keepRunning() {
    while (!this.#stopped) {
      const how = await this.workerd.ended;
      const upMs = performance.now() - this.since;
      await Promise.race([this.tail.ended, sleep(LAST_WORDS_MS)]);
      await this.#restart(`workerd ended by itself (${how}): ${cause(how, this.tail.text)}`, upMs);
    }
  }

  async #restart(why, upMs) {
    while (!this.#stopped) {
      const pause = this.#backoff.pause(upMs);
      this.say(`${why}. Starting it again ${pause === 0 ? "at once" : `in ${pause / 1000} s`}`);
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopped) return;
      try {
        await this.start();
        this.say("serving again");
        return;
      } catch (error) {
        [why, upMs] = [`${error.message}: ${cause("", this.tail?.text ?? "")}`, 0];
      }
    }
  }

  get #stopped() {
    return this.#stopping.signal.aborted;
  }

  /** Ends workerd, or the waiting for the next restart. */
  async stop() {
    this.#stopping.abort();
    await this.workerd?.stop();
  }
}
