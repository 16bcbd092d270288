// Ends what tests have started, also when node:test runs no hooks.
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const stops = new Set();

function stopAll() {
  for (const stop of stops) {
    try {
      stop();
    } catch (error) {
      // The others have to stop, too.
      console.error(error);
    }
  }
}

/**
 * Calls `stop` when this process exits, also after a signal other than SIGKILL, when node:test runs no hooks.
 * @param {() => void} stop
 * @returns {() => void} a function that removes `stop` again
 */
export function atExit(stop) {
  if (stops.size === 0) {
    process.once("exit", stopAll);
    for (const signal of SIGNALS) process.once(signal, exit);
  }
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size > 0) return;
    process.off("exit", stopAll);
    for (const signal of SIGNALS) process.off(signal, exit);
  };
}

/**
 * Kills a process, or a group if the number is negative, if it is still there.
 * @param {number} pid
 */
export function killHard(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // The process has ended.
  }
}

function exit() {
  process.exit(1);
}
