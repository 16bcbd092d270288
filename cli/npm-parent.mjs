// Notices the end of the npm or npx that has started this process, because npm cannot pass on SIGKILL.
//
// `npm run` is the parent of this process, because the scripts in package.json use `exec`. npx is the parent of a
// shell, which is the parent of this process, and which ends at a signal without passing it on.
import { readFileSync } from "node:fs";

/** How often to check whether npm has ended, in milliseconds. */
const POLL_MS = 200;
const SHELLS = ["sh", "dash", "bash", "zsh"];

/** Returns the name and the parent of a process, or undefined if it has ended or the system has no /proc. */
function processInfo(pid) {
  try {
    const [, name, parent] = readFileSync(`/proc/${pid}/stat`, "utf8").match(/\((.*)\) \S (\d+)/s) ?? [];
    return { name, parent: Number(parent) };
  } catch {
    return undefined;
  }
}

// These are read when the process starts, before npm can have ended.
const parent = process.ppid;
const info = processInfo(parent);
const npx = info && SHELLS.includes(info.name) ? info.parent : undefined;

const hasEnded = () => process.ppid !== parent || (npx !== undefined && processInfo(parent)?.parent !== npx);

/**
 * Calls `ended` when npm has ended, if npm has started this process. A process that npm has not started may outlive its
 * parent. Returns a function that stops checking.
 * @param {() => void} ended
 */
export function whenNpmEnds(ended) {
  if (!process.env.npm_lifecycle_event) return () => {};
  const timer = setInterval(() => {
    if (!hasEnded()) return;
    clearInterval(timer);
    ended();
  }, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
