// Publishing, with repeats under one idempotency key.
import type { PublishOptions } from "./api.ts";
import { pathOf } from "./channels.ts";
import { errorOf, HubError, isTemporary } from "./problem.ts";
import { type Connected, send } from "./request.ts";
import { childOf, sleep, waitMs } from "./timing.ts";

/** How long an attempt may take, in milliseconds. */
const ATTEMPT_MS = 60_000;

/** Publishes to the endpoint until the hub has answered with a receipt or a refusal. */
export async function publish(
  hub: Connected,
  channels: string | readonly string[],
  endpoint: "/broadcast" | "/end",
  data: unknown,
  // On a page without https, there is no `crypto.randomUUID`.
  { type, idempotencyKey = crypto.getRandomValues(new Uint32Array(4)).join("-"), signal }: PublishOptions = {},
  // biome-ignore lint/suspicious/noExplicitAny: the number of channels decides which type the receipt has.
): Promise<any> {
  const body = typeof data === "string" ? data : JSON.stringify(data);
  if (body === undefined) throw new TypeError("data: expected a string or a JSON value");
  if (!/^[ -~]{1,128}$/.test(idempotencyKey)) throw new TypeError("idempotencyKey: expected 1 to 128 of ASCII");
  const headers = {
    "Idempotency-Key": idempotencyKey,
    ...(body !== data && { "Content-Type": "application/json" }),
  };
  const path = pathOf(channels, endpoint, { event: type });
  for (let failures = 1; ; failures++) {
    signal?.throwIfAborted();
    const attempt = childOf(signal);
    const timer = setTimeout(() => attempt.abort(), ATTEMPT_MS);
    let wait = 0;
    try {
      const response = await send(hub, path, { method: "POST", headers, body, signal: attempt.signal });
      if (response.status !== 200) throw await errorOf(response);
      return await response.json();
    } catch (error) {
      if (error instanceof HubError) {
        if (!isTemporary(error)) throw error;
        wait = error.retryAfter ?? 0;
      }
    } finally {
      clearTimeout(timer);
      attempt.abort();
    }
    await sleep(waitMs(failures, wait * 1_000), signal);
  }
}
