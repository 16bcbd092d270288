// `npm run serve` on a machine without certificates of authorities, as many images of containers are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../support/serve.mjs";

test("npm run serve starts without certificates of authorities, because the hub connects to no other host", {
  timeout: 30_000,
}, async () => {
  const hub = await serve({ SSL_CERT_FILE: "/none", SSL_CERT_DIR: "/none" });
  assert.equal((await hub.fetch("/healthz")).status, 200);
  assert.ok(await hub.channel("foo").publish("x"));
  await hub.stop();
});
