// A row of a channel's database that the hub cannot have written. The hub refuses requests for the channel instead of
// ignoring the row, and DELETE makes the channel work again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseId } from "../support/subscriber.mjs";
import { eventually } from "../support/wait.mjs";
import { editStorage, startWorkerd } from "../support/workerd.mjs";

const DAMAGE = {
  "an epoch that is not a number": ["UPDATE channel SET epoch = 'x'", "channel"],
  "a key without a valid fingerprint": ["UPDATE idempotency_keys SET fingerprint = x'00'", "idempotency_keys"],
  "an event without a number": ["UPDATE history_even SET first = 'x'", "history_even"],
};

for (const [damage, [statement, table]] of Object.entries(DAMAGE)) {
  test(`a channel with ${damage} is answered with 503, and DELETE makes it work again`, {
    timeout: 60_000,
  }, async () => {
    const hub = await startWorkerd({ LOG_LEVEL: "error" }, { withLog: true });
    const channel = hub.channel("malformed");
    const headers = { "Idempotency-Key": "key" };
    assert.equal((await fetch(`${channel.url}/broadcast`, { method: "POST", body: "1", headers })).status, 200);
    await hub.workerd.stop();
    editStorage(hub, (database) => database.exec(statement));
    await hub.start();

    for (const request of [
      new Request(channel.url),
      new Request(`${channel.url}/events`),
      new Request(`${channel.url}/broadcast`, { method: "POST", body: "2" }),
    ]) {
      const response = await fetch(request);
      assert.equal(response.status, 503);
      const { type, detail } = await response.json();
      assert.equal(type, "urn:sse-broadcaster:problem:storage-failed");
      assert.match(
        detail,
        new RegExp(`malformed row in the table ${table} .*DELETE the channel: that removes the database`),
      );
    }
    const failure = new RegExp(`storage failed: id=malformed file=\\S+ error=malformed row in the table ${table}`);
    await eventually(() => failure.test(hub.log)).catch(() => assert.match(hub.log, failure));

    await channel.delete();
    const removal = /all rows are removed, because some are malformed: id=malformed file=\S+/;
    await eventually(() => removal.test(hub.log)).catch(() => assert.match(hub.log, removal));
    const { id } = await channel.publish("3");
    assert.equal(parseId(id).seq, 1);
    await hub.restart();
    const { events } = await channel.history();
    assert.deepEqual(
      events.map(({ data }) => data),
      ["3"],
    );
  });
}
