/** Calls `stop` when this process ends, however it ends short of SIGKILL: hooks of node:test do not run at all ends. */
export function atExit(stop) {
  process.once("exit", stop);
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(1));
}
