// `npm start` checks PORT before it builds anything.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { portOf } from "../support/port.mjs";
import { Started } from "../support/start.mjs";

for (const port of ["0", "65536", "80a", " 8080"]) {
  test(`npm start refuses PORT=${JSON.stringify(port)}`, { timeout: 30_000 }, async () => {
    const { status, said } = await new Started(["npm", "start"], { PORT: port }).end();
    assert.equal(status, 1);
    assert.deepEqual(said, [`PORT is "${port}": it has to be a whole number from 1 to 65535`]);
  });
}

test("npm start says that another program listens on PORT", { timeout: 30_000 }, async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const port = portOf(server);
  const { status, said } = await new Started(["npm", "start"], { PORT: String(port) }).end();
  server.close();
  assert.equal(status, 1);
  assert.deepEqual(said, [`PORT is "${port}": another program listens there; stop it, or choose another port`]);
});
