const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];
const stops = new Set();

function stopAll() {
  for (const stop of stops) {
    try {
      stop();
    } catch (error) {
      // The others are to be stopped all the same.
      console.error(error);
    }
  }
}

/**
 * Calls `stop` when this process ends, however it ends short of SIGKILL: hooks of node:test do not run at all ends.
 * Returns a function that takes that back, for what has been stopped already.
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

function exit() {
  process.exit(1);
}
