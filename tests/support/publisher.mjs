// Publishing while the hub or an object comes and goes.
import { sleep } from "./wait.mjs";

const RETRY_MS = 20;
/** What the hub answers while an object starts, or was lost. */
const UNAVAILABLE = 503;

/**
 * Publishes `data` with the idempotency key `key` until that succeeds, and returns the receipt. Any answer other than
 * 200 and 503 is an error.
 * @param {{ url: string }} channel
 * @param {string} data
 */
export async function publishWithRetries(channel, data, key = data) {
  for (;;) {
    const request = { method: "POST", body: data, headers: { "Idempotency-Key": key } };
    const answer = await fetch(`${channel.url}/broadcast`, request)
      .then(async (response) => ({ status: response.status, text: await response.text() }))
      .catch((error) => {
        // The hub may be down.
        if (!error.cause) throw error;
        return undefined;
      });
    if (answer?.status === 200) return JSON.parse(answer.text);
    if (answer && answer.status !== UNAVAILABLE) throw new Error(`${answer.status} ${answer.text}`);
    await sleep(RETRY_MS);
  }
}
