// Keeps workerd running: starts it again when it ends unexpectedly.
import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** The first restart in a row comes at once, the second after this pause. Each later pause is twice as long. */
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 5_000;
/** After a workerd has run for this long, the next restart comes at once again. */
const STABLE_MS = 60_000;
/** workerd logs this for each alarm that alarms.mjs has rescheduled. */
const EXPECTED_WARNING = "SQLite alarm overdue, running despite AlarmManager mismatch";
/** How long to wait for the last output of a workerd that has ended. */
const LAST_OUTPUT_MS = 500;
/** How many characters of workerd's last output are kept, to find out why it ended. */
const KEPT_CHARACTERS = 4_000;

/** Computes the pause before each restart. */
export class Backoff {
  restarts = 0;

  /** Returns the pause before the restart of a workerd that has run for `upMs`. */
  pause(upMs) {
    if (upMs >= STABLE_MS) this.restarts = 0;
    const pause = this.restarts === 0 ? 0 : FIRST_PAUSE_MS * 2 ** (this.restarts - 1);
    this.restarts += 1;
    return Math.min(pause, MAX_PAUSE_MS);
  }
}

/** Explains why workerd ended and what helps. `status` is its exit status or signal, `output` its last output. */
export function explainEnd(status, output) {
  if (output.includes("Too many open files")) {
    const help = "raise the limit (ulimit -n), and limit the connections of each client in a proxy in front";
    return `it reached its limit of open files; ${help}: docs/self-hosting.md`;
  }
  if (status === "signal SIGKILL") return "a user killed it, or the kernel did because memory ran out";
  return "its last output is above";
}

/** Passes workerd's stderr on line by line, and keeps the end of it in `text`. */
class Tail {
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
 * Runs workerd, and starts it again when it ends.
 *
 * `startWorkerd` starts a workerd. It gets a function that it has to call with the child process before workerd does
 * anything, and resolves when workerd answers requests. `say` logs a line.
 */
export class Supervisor {
  #backoff = new Backoff();
  #stopping = new AbortController();
  /** @type {Tail | undefined} */
  #tail;
  /** @type {import("./workerd.mjs").Workerd | undefined} */
  #workerd;
  #startedAt = 0;

  constructor(startWorkerd, say) {
    this.startWorkerd = startWorkerd;
    this.say = say;
  }

  /** Starts workerd, and returns it when it answers. Throws an error if it never does. */
  async start() {
    const workerd = await this.startWorkerd((child) => {
      this.#tail = new Tail(child);
    });
    this.#workerd = workerd;
    this.#startedAt = performance.now();
    return workerd;
  }

  /** Starts workerd again whenever it ends. Returns after `stop`. */
  async keepRunning() {
    while (!this.#stopped) {
      const status = await this.#workerd?.ended;
      const upMs = performance.now() - this.#startedAt;
      await Promise.race([this.#tail?.ended, sleep(LAST_OUTPUT_MS)]);
      await this.#restart(`workerd ended by itself (${status}): ${this.#explainEnd(status)}`, upMs);
    }
  }

  async #restart(reason, upMs) {
    while (!this.#stopped) {
      const pause = this.#backoff.pause(upMs);
      this.say(`${reason}. Starting it again ${pause === 0 ? "at once" : `in ${pause / 1000} s`}`);
      await sleep(pause, undefined, { signal: this.#stopping.signal }).catch(() => {});
      if (this.#stopped) return;
      try {
        await this.start();
        this.say("serving again");
        return;
      } catch (error) {
        reason = `${error.message}: ${this.#explainEnd(undefined)}`;
        upMs = 0;
      }
    }
  }

  #explainEnd(status) {
    return explainEnd(status, this.#tail?.text ?? "");
  }

  get #stopped() {
    return this.#stopping.signal.aborted;
  }

  /** Ends workerd, or the pause before its restart. */
  async stop() {
    this.#stopping.abort();
    await this.#workerd?.stop();
  }
}
