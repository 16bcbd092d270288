// The client in Node gets tokens, renews them, and waits for them, without missing an event.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { startLine } from "../support/line.mjs";
import { numbers } from "../support/numbers.mjs";
import { connectTo, follow } from "../support/package-client.mjs";
import { Issuer } from "../support/token-site.mjs";
import { authorized, FULL_ACCESS, mint, OTHER_SECRET, SECRET, secretKey } from "../support/tokens.mjs";
import { eventually, sleep, untilSubscribers } from "../support/wait.mjs";
import { startTokenHub } from "../support/workerd.mjs";

const twoMinutes = { timeout: 120_000 };

describe("tokens of the client in Node", { concurrency: true }, () => {
  test(
    "it misses no event if the line is down on a quiet channel until the token has expired",
    twoMinutes,
    async () => {
      const issuer = new Issuer(6);
      const hub = await startTokenHub({ JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" });
      const line = await startLine(hub);
      const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
      const client = follow(connectTo(line.origin, { token: issuer.issue }), "foo");
      await client.isOpen();
      line.cut();
      await untilSubscribers(channel, 0);
      for (const data of numbers(3)) await channel.publish(data);
      await sleep(issuer.remaining);
      await line.mend();
      await client.has(3);
      await channel.publish("4");
      await client.has(4);
      assert.deepEqual(client.data(), numbers(4));
      assert.deepEqual(client.notices(), []);
    },
  );

  test("it renews tokens before they expire, goes on without a pause, and misses no event", twoMinutes, async () => {
    let asked = 0;
    let atOnce = 0;
    const issue = async () => {
      asked++;
      assert.equal(++atOnce, 1, "the function is not called twice at once");
      await sleep(100);
      atOnce--;
      return mint({ subscribe: ["foo", "bar"], exp: Math.floor(Date.now() / 1_000) + 5 });
    };
    const hub = await startTokenHub({ JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" });
    const own = connectTo(hub.origin, { token: issue });
    const clients = [follow(own, "foo"), follow(own, "foo"), follow(own, ["foo", "bar"])];
    for (const client of clients) await client.isOpen();
    assert.ok(asked < clients.length, "the streams share tokens");
    const channel = authorized(hub.channel("foo"), await mint({ ...FULL_ACCESS, exp: Date.now() / 1_000 + 600 }));
    let published = 0;
    for (const end = Date.now() + 12_000; Date.now() < end; await sleep(50)) await channel.publish(`${++published}`);
    for (const client of clients) {
      await client.has(published);
      assert.deepEqual(client.data(), numbers(published));
      const waits = client.statuses.filter(({ state }) => state === "reconnecting");
      assert.ok(waits.length >= 2, `${waits.length} renewals`);
      for (const { reason } of waits) assert.equal(reason, "the token has expired");
    }
    assert.ok(asked >= 3 && asked <= 12, `${asked} tokens`);
  });

  test("after a 401 it asks for one new token, and goes on with that", twoMinutes, async () => {
    const issuer = new Issuer(600);
    let asked = 0;
    const issue = () => {
      asked++;
      return issuer.issue();
    };
    const hub = await startTokenHub({ JWT_SECRET: SECRET });
    const line = await startLine(hub);
    const client = follow(connectTo(line.origin, { token: issue }), "foo");
    await client.isOpen();
    line.cut();
    // This needs no time, unlike a token that expires.
    await hub.restart({ ...hub.options.settings, JWT_SECRET: OTHER_SECRET });
    issuer.key = secretKey(OTHER_SECRET);
    await line.mend();
    await eventually(() => client.states().filter((state) => state === "open").length === 2, 40_000);
    assert.equal(asked, 2);
    // The same token again, and another one that is refused, too, end the subscription.
    for (const wrong of [() => "a.b.c", () => mint({ subscribe: ["foo"], sub: Math.random() }, secretKey(SECRET))]) {
      let calls = 0;
      const token = () => {
        calls++;
        return wrong();
      };
      const refused = follow(connectTo(hub.origin, { token }), "foo");
      await assert.rejects(refused.subscription.done, { status: 401 });
      assert.equal(calls, 2);
    }
  });

  test("while the function for the token fails, it tries again, and says why", twoMinutes, async () => {
    const issuer = new Issuer(60);
    let fails = 2;
    const issue = async () => {
      if (fails-- > 0) throw new Error("no session");
      return issuer.issue();
    };
    const hub = await startTokenHub({ JWT_SECRET: SECRET });
    const client = follow(connectTo(hub.origin, { token: issue }), "foo");
    await client.isOpen();
    const waits = client.statuses.filter(({ state }) => state === "reconnecting");
    assert.deepEqual(
      waits.map(({ attempt, reason }) => [attempt, reason]),
      [
        [2, "no session"],
        [3, "no session"],
      ],
    );
    for (const wait of waits) assert.ok(wait.state === "reconnecting" && wait.retryAt > Date.now() - 60_000);
  });

  test(
    "a function for the token that throws at once, and no error, does not end a subscription",
    twoMinutes,
    async () => {
      const hub = await startTokenHub({ JWT_SECRET: SECRET });
      let fails = true;
      const token = () => {
        if (!fails) return mint({ subscribe: ["foo"] });
        fails = false;
        throw undefined;
      };
      const client = follow(connectTo(hub.origin, { token }), "foo");
      await client.isOpen();
      assert.deepEqual(client.states(), ["connecting", "reconnecting", "connecting", "open"]);
    },
  );

  test("it waits longer for a token than for a silent hub", twoMinutes, async () => {
    const hub = await startTokenHub({ JWT_SECRET: SECRET, HEARTBEAT_SECONDS: "1" });
    const line = await startLine(hub);
    let calls = 0;
    const token = async () => {
      if (++calls > 1) await sleep(6_000);
      return mint({ subscribe: ["foo"], jti: String(calls) });
    };
    const client = follow(connectTo(line.origin, { token }), "foo");
    await client.isOpen();
    // The client learns that a silence of two seconds is too long.
    await sleep(3_500);
    await line.answerWith(401);
    await eventually(() => calls === 2, 20_000);
    await line.mend();
    await client.isOpen();
    assert.deepEqual(client.states(), ["connecting", "open", "reconnecting", "connecting", "open"]);
  });
});
