// Ensures that a child process ends when this process ends, even if this process is killed with SIGKILL.
import { spawn } from "node:child_process";

/** The child's file descriptor of the pipe on which it waits for `release`. */
const RELEASE_FD = 4;

/**
 * Starts a command that waits until it is passed to `release`. If this process ends before that, the command never
 * runs. So this process cannot be killed at a moment at which the command runs without a guard. `stdio` is the option
 * of `spawn`, with four entries.
 *
 * The command gets its own process group, because a terminal sends Ctrl-C to a whole group. Only this process decides
 * how the command is ended.
 */
export function spawnHeld(command, stdio) {
  // SIGXFSZ is ignored, so that a write beyond the file size limit fails instead of ending the process.
  const script = `trap '' XFSZ; read -r word <&${RELEASE_FD} || exit 1; exec "$@" ${RELEASE_FD}<&-`;
  const child = spawn("sh", ["-c", script, "sh", ...command], { stdio: [...stdio, "pipe"], detached: true });
  // The write in `release` fails if the child was killed before it has read the word.
  releasePipe(child).on("error", () => {});
  return child;
}

/** Lets a command of `spawnHeld` run. */
export function release(child) {
  releasePipe(child).end("run\n");
}

/** @returns {import("node:stream").Writable} */
function releasePipe(child) {
  return child.stdio[RELEASE_FD];
}

/**
 * A shell that reads from a pipe which this process holds open. When this process ends, the pipe closes, and the shell
 * kills the watched process and removes `folder`, if there is one. Without this, a second hub could start on the same
 * port and storage while the first workerd still runs, and a config with secrets could stay on the disk.
 */
export class Guard {
  constructor(folder = "") {
    const script = 'read -r pid; read -r line; [ -z "$pid" ] || kill -9 "$pid"; [ -z "$0" ] || rm -rf "$0"';
    const shell = spawn("sh", ["-c", script, folder], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    this.shell = shell;
    this.ended = new Promise((resolve) => shell.once("error", resolve).once("exit", resolve));
    shell.stdin.on("error", () => {});
    // Neither the pipe nor the shell keeps this process running. The types do not know that this stream is a socket.
    /** @type {import("node:net").Socket} */ (shell.stdin).unref();
    shell.unref();
  }

  /** Sets which process the guard kills, or which process group if the number is negative. */
  watch(pid) {
    this.shell.stdin.write(`${pid}\n`);
  }

  /** Ends the guard without waiting. The watched process goes on. */
  kill() {
    this.shell.kill("SIGKILL");
  }

  /** Ends the guard, and waits until it has ended. The watched process goes on. */
  end() {
    this.shell.ref();
    this.kill();
    return this.ended;
  }
}
