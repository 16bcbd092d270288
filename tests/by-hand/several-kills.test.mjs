// 100 rounds of SIGKILL while streams of three channels are open and publishers repeat their publishes with idempotency
// keys: no acknowledged event is lost or doubled, and no notice is needed. Run it with
// `npm test -- by-hand/several-kills`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { publishWithRetries } from "../support/publisher.mjs";
import { ReconnectingToSeveral } from "../support/reconnecting.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const ROUNDS = 100;
const REPORT_EVERY = 10;
const IDS = ["a", "b", "c"];
/** Some streams have the channels in another order. */
const LISTS = [IDS, ["c", "a", "b"], IDS, ["b", "c", "a"], IDS, IDS];
/** The hub is killed at another point of its work in each round. */
const LEAST_MS = 200;
const SPREAD_MS = 1_500;

test(`streams of three channels lose and repeat no acknowledged event in ${ROUNDS} rounds of SIGKILL`, {
  timeout: 1_500_000,
}, async () => {
  const hub = await startWorkerd({ HISTORY_EVENTS: "100000", LOG_LEVEL: "error" });
  const subscribers = await Promise.all(LISTS.map((list) => ReconnectingToSeveral.start(hub, list)));
  const acknowledged = Object.fromEntries(IDS.map((id) => [id, []]));
  const last = {};
  let isOver = false;
  const publishing = IDS.map(async (id) => {
    for (let n = 0; !isOver; n++) {
      const data = `${id} ${n}`;
      last[id] = (await publishWithRetries(hub.channel(id), data)).id;
      acknowledged[id].push(data);
      await sleep(15);
    }
  });
  for (let round = 1; round <= ROUNDS; round++) {
    await sleep(LEAST_MS + Math.random() * SPREAD_MS);
    await hub.kill();
    await hub.start();
    if (round % REPORT_EVERY > 0) continue;
    const events = IDS.map((id) => acknowledged[id].length).join(", ");
    console.log(`# round ${round}: ${events} events; ${subscribers[0].streams.length} streams of the first client`);
  }
  isOver = true;
  await Promise.all(publishing);
  for (const id of IDS) {
    const data = `${id} last`;
    last[id] = (await publishWithRetries(hub.channel(id), data)).id;
    acknowledged[id].push(data);
  }
  for (const subscriber of subscribers) {
    await eventually(() => subscriber.hasReceived(last), 30_000, "a client has all events");
    subscriber.stop();
    assert.ok(subscriber.streams.length > ROUNDS / 2, `${subscriber.streams.length} streams`);
    const received = subscriber.check(last);
    for (const id of IDS) assert.deepEqual(received[id], acknowledged[id]);
  }
  const events = IDS.reduce((sum, id) => sum + acknowledged[id].length, 0);
  console.log(
    `# ${ROUNDS} kills, ${events} acknowledged events, ${subscribers.length} streams: 0 lost, 0 doubled, 0 notices`,
  );
});
