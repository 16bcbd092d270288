// Ties a child process to the life of this process: it ends when this process ends, even by SIGKILL.
import { spawn } from "node:child_process";

/** The child's file descriptor of the pipe on which it waits for `release`. */
const RELEASE_FD = 4;

/**
 * Starts a command that does nothing until it is passed to `release`. When this process ends before that, the command
 * never runs. So there is no moment at which this process can be killed and leave the command running unguarded. `stdio`
 * is that of `spawn`, with four entries.
 *
 * The command gets a process group of its own, because a terminal sends Ctrl-C to a whole group: this process decides
 * how the command is ended.
 */
export function spawnHeld(command, stdio) {
  // A write beyond the limit of a file's size is an error of that write, and not the end of the process.
  const script = `trap '' XFSZ; read -r word <&${RELEASE_FD} || exit 1; exec "$@" ${RELEASE_FD}<&-`;
  const child = spawn("sh", ["-c", script, "sh", ...command], { stdio: [...stdio, "pipe"], detached: true });
  // The child may be killed before it has read the word.
  child.stdio[RELEASE_FD].on("error", () => {});
  return child;
}

/** Lets a command of `spawnHeld` run. */
export function release(child) {
  child.stdio[RELEASE_FD].end("run\n");
}

/**
 * A shell that reads from a pipe which this process holds open. When this process ends, the read ends, and the shell
 * kills the watched process and removes `folder`. Otherwise a second hub could start on the same port and the same
 * storage while the first workerd is still there, and a config with secrets could stay behind.
 */
export class Guard {
  constructor(folder) {
    const script = 'read -r pid; read -r line; [ -z "$pid" ] || kill -9 "$pid"; rm -rf "$0"';
    const stdio = ["pipe", "ignore", "ignore"];
    this.shell = spawn("sh", ["-c", script, folder], { stdio, detached: true });
    this.ended = new Promise((resolve) => this.shell.once("error", resolve).once("exit", resolve));
    this.shell.stdin.on("error", () => {});
    this.shell.stdin.unref();
    this.shell.unref();
  }

  /** From now on, it is this process that is killed. */
  watch(pid) {
    this.shell.stdin.write(`${pid}\n`);
  }

  kill() {
    this.shell.kill("SIGKILL");
  }

  end() {
    this.shell.ref();
    this.kill();
    return this.ended;
  }
}
