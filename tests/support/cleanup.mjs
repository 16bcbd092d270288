const stops = new Set();

function stopAll() {
  for (const stop of stops) stop();
}

/**
 * Calls `stop` when this process ends, however it ends short of SIGKILL: hooks of node:test do not run at all ends.
 * Returns a function that takes that back, for what has been stopped already.
 */
export function atExit(stop) {
  if (stops.size === 0) {
    process.once("exit", stopAll);
    for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, exit);
  }
  stops.add(stop);
  return () => {
    stops.delete(stop);
    if (stops.size > 0) return;
    process.off("exit", stopAll);
    for (const signal of ["SIGINT", "SIGTERM"]) process.off(signal, exit);
  };
}

function exit() {
  process.exit(1);
}
