// Load from a child process, so that it does not slow down the process that measures. A module of load is both sides: a
// test imports it, and it runs itself as the child.
import { fork } from "node:child_process";
import { once } from "node:events";
import { after } from "node:test";
import { fileURLToPath } from "node:url";
import { atExit } from "./cleanup.mjs";

/**
 * Starts the module `url` as a child process and sends it `task`. The child is killed after the test or file that has
 * started it.
 * @param {string} url the module's `import.meta.url`
 * @param {object} task
 */
export function startChild(url, task) {
  const child = fork(fileURLToPath(url), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const kill = () => child.kill("SIGKILL");
  after(kill);
  atExit(kill);
  child.send(task);
  return { child, kill };
}

/**
 * Whether the module `url` runs as the child process.
 * @param {string} url
 */
export const isChild = (url) => process.argv[1] === fileURLToPath(url);

/** Returns the task of this child process. The child exits when its parent does. */
export async function receiveTask() {
  const [task] = await once(process, "message");
  process.on("disconnect", () => process.exit());
  return task;
}
