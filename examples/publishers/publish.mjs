import { setTimeout as sleep } from "node:timers/promises";

const { HUB, TOKEN } = process.env;
const url = new URL(`${HUB}/channels/foo/broadcast`);
// All attempts have the same key, so the hub publishes the event once.
const headers = { Authorization: `Bearer ${TOKEN}`, "Idempotency-Key": crypto.randomUUID() };

async function publish() {
  const signal = AbortSignal.timeout(10_000);
  const response = await fetch(url, { method: "POST", headers, body: "foo=bar", signal });
  return { status: response.status, text: await response.text() };
}

for (let attempt = 0; ; attempt += 1) {
  const { status, text } = await publish().catch((error) => ({ status: 503, text: String(error) }));
  if (status === 200) {
    console.log(text);
    break;
  }
  if (attempt === 5 || (status !== 429 && status < 500)) throw new Error(text);
  await sleep(1_000 * 2 ** attempt);
}
