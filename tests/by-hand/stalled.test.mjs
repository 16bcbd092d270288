// `npm run stalled`: the memory of streams whose clients do not read, and the memory after these clients have gone.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../../scripts/install.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const STREAMS = 1_000;
const BATCH = Array.from({ length: 15 }, (_, number) => `${number} `.padEnd(60_000, "x"));
const WARM_UP_BATCHES = 60;
/** The buffers of the kernel take up to 4 MB for each connection before a stream stalls. */
const BATCHES = 16;

test(`${STREAMS} streams whose clients do not read stay open`, { timeout: 300_000 }, async () => {
  const hub = await startWorkerd({ LOG_LEVEL: "error", STALL_SECONDS: "0", MEMORY_BYTES: String(64 * 2 ** 20) });
  const channel = hub.channel("stalled");
  const publish = async (batches, pauseMs) => {
    for (let number = 0; number < batches; number++) {
      await channel.publishBatch(BATCH);
      await sleep(pauseMs);
    }
  };
  // The heap grows to its working size first.
  await publish(WARM_UP_BATCHES, 0);
  const clients = spawn(
    "python3",
    [join(root, "tests/support/stalled.py"), hub.workerd.port, "stalled", String(STREAMS)],
    {
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  after(() => clients.kill("SIGKILL"));
  await once(clients.stdout, "data");
  await eventually(async () => (await channel.stats()).subscribers === STREAMS);
  const open = hub.residentBytes();
  await publish(BATCHES, 500);
  await eventually(async () => (await channel.stats()).busy === STREAMS, 60_000, "all streams have stalled");
  await publish(BATCHES, 100);
  await sleep(3_000);
  const stalled = hub.residentBytes();
  const { subscribers } = await channel.stats();
  assert.equal(subscribers, STREAMS);
  clients.kill("SIGKILL");
  await eventually(async () => (await channel.publish("x")).subscribers === 0, 60_000, "all streams are gone");
  await sleep(3_000);
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  const each = ((stalled - open) / STREAMS / 1e6).toFixed(2);
  console.log(`# ${STREAMS} streams: ${megabytes(open)} MB open, ${megabytes(stalled)} MB stalled (${each} MB each)`);
  console.log(`# ${megabytes(hub.residentBytes())} MB after they have closed`);
});
