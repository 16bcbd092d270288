// Measures how long the objects of quiet channels are asleep while their streams are open.
import { once } from "node:events";
import { Agent, get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { channelPath } from "../generator.mjs";
import { sharesOf } from "./awake.mjs";
import { ASLEEP_SECONDS, QUIET } from "./rows.mjs";
import { startNoting } from "./servers.mjs";

const MINUTE_MS = 60_000;
/** How long an event may take to arrive, in milliseconds. */
const ARRIVAL_MS = 2_000;
const SETTLE_MS = ASLEEP_SECONDS * 1_000;
const DATA = "a quiet event";

/** The open streams of a server, which count their events. */
class Streams {
  /** @type {import("node:http").IncomingMessage[]} */
  open = [];
  received = 0;
  ended = 0;
  agent = new Agent({ maxSockets: Infinity });

  async add(url) {
    const [response] = await once(get(url, { agent: this.agent }), "response");
    if (response.statusCode !== 200) throw new Error(`${url} was answered with status ${response.statusCode}`);
    this.open.push(response);
    let rest = "";
    response.setEncoding("utf8").on("data", (text) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.received += lines.filter((line) => line === `data: ${DATA}`).length;
    });
    response.on("close", () => (this.ended += 1));
    response.on("error", () => {});
  }

  close() {
    for (const response of this.open) response.destroy();
    this.agent.destroy();
  }
}

/** Publishes one event. */
async function publish(origin, channel) {
  const response = await fetch(`${origin}${channelPath(channel)}/broadcast`, { method: "POST", body: DATA });
  if (!response.ok) throw new Error(`a publish was answered with status ${response.status}: ${await response.text()}`);
  await response.body?.cancel();
}

/**
 * Publishes an event to each channel in each minute after `start`, spread over the minute. In the first minute, each
 * channel gets one more event after SETTLE_MS. If it wakes the object, the object was asleep by then.
 */
async function publishAll(origin, channels, minutes, start) {
  const publishAt = async (at, channel) => {
    await sleep(Math.max(at - Date.now(), 0));
    await publish(origin, channel);
  };
  const publishes = [];
  for (let channel = 0; channel < channels; channel++) {
    const first = start + (channel / channels) * (MINUTE_MS - SETTLE_MS);
    publishes.push(publishAt(first + SETTLE_MS, channel));
    for (let minute = 0; minute <= minutes + 1; minute++) {
      publishes.push(publishAt(first + minute * MINUTE_MS, channel));
    }
  }
  await Promise.all(publishes);
  return publishes.length;
}

/**
 * Runs the load on a server. `holder` is the value of HOLD_STREAMS. Returns the figures of the objects, and the losses.
 */
async function runOn(holder, { channels, streams, minutes }) {
  const server = await startNoting(holder, streams);
  const clients = new Streams();
  try {
    for (let channel = 0; channel < channels; channel++) {
      const url = `${server.origin}${channelPath(channel)}`;
      await Promise.all(Array.from({ length: streams }, () => clients.add(url)));
    }
    // The objects of the last streams fall asleep, too.
    await sleep(SETTLE_MS);
    const start = Date.now();
    const published = await publishAll(server.origin, channels, minutes, start);
    // The additional events of the first minute do not count, nor does the time after the last of them.
    const from = start + MINUTE_MS + SETTLE_MS;
    const to = from + minutes * MINUTE_MS;
    await sleep(Math.max(to - Date.now(), ARRIVAL_MS));
    const notes = await server.notes();
    const sharesBetween = (from, to) => sharesOf(notes, { from, to, settleMs: SETTLE_MS });
    return {
      lost: published * streams - clients.received,
      ended: clients.ended,
      /** How often the objects woke in the first minute, in which each of them gets two events. */
      probes: sharesBetween(start, start + MINUTE_MS).map(({ wakes }) => wakes),
      objects: sharesBetween(from, to),
    };
  } finally {
    clients.close();
    await server.stop();
  }
}

/**
 * Measures both servers at the same time, because they are nearly always idle. Returns { minutes, worker, object }.
 * @param {import("../measure.mjs").Bench} bench
 */
export async function measureQuiet(bench) {
  const minutes = Math.max(1, Math.round(QUIET.minutes * bench.options.scale * (bench.options.quick ? 0.2 : 1)));
  bench.say(`\n${QUIET.id}: ${QUIET.title}, for ${minutes} min`);
  const load = { ...QUIET, minutes };
  const one = (holder) => bench.attempt(`  ${holder}`, { id: holder }, summary, () => runOn(holder, load));
  const [worker, object] = await Promise.all([one("worker"), one("object")]);
  return { minutes, worker, object };
}

function summary({ lost, objects }) {
  const least = Math.min(...objects.map(({ asleep }) => asleep));
  const wakes = objects.reduce((sum, { wakes }) => sum + wakes, 0);
  return `${objects.length} objects, ${wakes} wakes, asleep at least ${(least * 100).toFixed(1)} %, ${lost} lost`;
}
