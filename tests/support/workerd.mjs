// A hub on bare workerd: no wrangler, no inspector, one process whose memory is the hub's own.
import { readFileSync } from "node:fs";
import { after } from "node:test";
import * as bare from "../../scripts/workerd.mjs";
import { atExit } from "./cleanup.mjs";
import { Channel } from "./hub.mjs";

/** Starts workerd on a free port; it is killed after the test or file that started it. */
export async function startWorkerd(settings = {}) {
  const workerd = await bare.startWorkerd({ settings, stdout: "ignore" });
  after(() => workerd.kill());
  atExit(() => workerd.kill());
  const status = () => readFileSync(`/proc/${workerd.pid}/status`, "utf8");
  const hub = {
    origin: workerd.origin,
    channel: (id) => new Channel(hub, id),
    /** Its resident memory, in bytes. */
    residentBytes: () => Number(status().match(/VmRSS:\s+(\d+) kB/)[1]) * 1024,
  };
  return hub;
}
