// `npm run serve` starts workerd again when it has ended, and streams resume without a missing event.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { Backoff, Supervisor } from "../../cli/serve/supervisor.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { idleConnections } from "../support/idle.mjs";
import { ReconnectingSubscriber } from "../support/reconnecting.mjs";
import { serve } from "../support/serve.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const SUBSCRIBERS = 20;
const OPEN_FILES = 2001;
/** These connections exceed OPEN_FILES. */
const IDLE = 1_100;

/** A hub with a storage of its own, subscribers of a channel, and a publisher that repeats a publish until it succeeds. */
class Scenario {
  /** @type {string[]} */
  published = [];
  /** @type {ReconnectingSubscriber[]} */
  subscribers = [];

  /** @param {import("../support/serve.mjs").ServeProcess} hub */
  constructor(hub) {
    this.hub = hub;
    this.channel = hub.channel("followed");
  }

  /** @param {import("../support/serve.mjs").Limits} [limits] */
  static async start(limits) {
    const scenario = new Scenario(await serve({ STATE_DIR: temporaryFolder(), LOG_LEVEL: "error" }, limits));
    await scenario.publish();
    const starting = Array.from({ length: SUBSCRIBERS }, () => ReconnectingSubscriber.start(scenario.channel));
    scenario.subscribers = await Promise.all(starting);
    return scenario;
  }

  /** Publishes one event. With its idempotency key, it is published once however often this repeats it. */
  async publish() {
    const data = `event ${this.published.length}`;
    const headers = { "Idempotency-Key": data };
    await eventually(
      async () => {
        this.last = await this.channel.publish(data, { headers }).catch(() => undefined);
        return this.last;
      },
      30_000,
      "a publish succeeds",
    );
    this.published.push(data);
  }

  /** Publishes until `done` is settled. */
  async publishUntil(done) {
    let isDone = false;
    const end = done.finally(() => (isDone = true));
    // The error of `done` is thrown below, unless a publish fails first.
    end.catch(() => {});
    while (!isDone) {
      await this.publish();
      await sleep(5);
    }
    await end;
  }

  /** Checks that each subscriber has received every event once. */
  async check() {
    await this.publish();
    const { id } = this.last;
    await eventually(
      () => this.subscribers.every((subscriber) => subscriber.hasReceived(id)),
      20_000,
      "all subscribers have the last event",
    );
    for (const subscriber of this.subscribers) assert.deepEqual(subscriber.check(id), this.published.slice(1));
  }

  async stop() {
    for (const subscriber of this.subscribers) subscriber.stop();
    await this.hub.stop();
  }
}

test("the hub serves again after idle connections have exceeded workerd's limit of open files", {
  timeout: 90_000,
}, async () => {
  const scenario = await Scenario.start({ openFiles: OPEN_FILES });
  const { hub } = scenario;
  const attacked = async () => {
    // At its limit, workerd ends if it cannot accept a connection, and continues if it cannot duplicate the file of an
    // accepted one. This depends on the number of its files, so each attempt opens another channel with its three files.
    for (let n = 0; !hub.output.includes("workerd ended by itself"); n++) {
      assert.ok(n < 5, "workerd does not end");
      await hub
        .channel(`other-${n}`)
        .publish("x")
        .catch(() => assert.ok(n > 0, "the first publish fails"));
      const sockets = await idleConnections(hub, IDLE);
      for (let ms = 0; ms < 2_000 && !hub.output.includes("workerd ended by itself"); ms += 100) await sleep(100);
      for (const socket of sockets) socket.destroy();
    }
    await hub.restarted();
  };
  await scenario.publishUntil(attacked());
  await scenario.check();
  const [line] = hub.lines().filter((line) => line.includes("workerd ended by itself"));
  assert.match(
    line,
    /ended by itself \(status 1\): it reached its limit of open files; raise the limit.*proxy.*at once$/,
  );
  assert.match(hub.output, /^sse-broadcaster: the limit of open files is 2001: enough for 980 connections \(/m);
  assert.match(hub.output, /accept\(\): Too many open files/, "the message of workerd is shown");
  await scenario.stop();
});

test("the hub serves again after each of three kill -9 of workerd", { timeout: 90_000 }, async () => {
  const scenario = await Scenario.start();
  const { hub } = scenario;
  for (let n = 1; n <= 3; n++) {
    const before = hub.workerd;
    process.kill(before, "SIGKILL");
    await scenario.publishUntil(hub.restarted(n));
    assert.notEqual(hub.workerd, before);
    await scenario.check();
  }
  const pauses = [...hub.output.matchAll(/ended by itself \(signal SIGKILL\): .*\. Starting it again (.*)/g)];
  assert.deepEqual(
    pauses.map(([, pause]) => pause),
    ["at once", "in 0.25 s", "in 0.5 s"],
  );
  await scenario.stop();
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends the hub at once while it waits to start workerd again`, { timeout: 60_000 }, async () => {
    const hub = await serve({ STATE_DIR: temporaryFolder(), LOG_LEVEL: "error" });
    for (let n = 1; n <= 5; n++) {
      process.kill(hub.workerd, "SIGKILL");
      await hub.restarted(n);
    }
    process.kill(hub.workerd, "SIGKILL");
    await eventually(() => hub.output.includes("Starting it again in 4 s"));
    process.kill(hub.child.pid, signal);
    assert.equal(await hub.exitStatus(), 0);
    const again = hub.lines().filter((line) => line === "sse-broadcaster: serving again");
    assert.equal(again.length, 5, "workerd was started again");
  });
}

test("a stop ends the pause before a restart", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said = [];
  const startWorkerd = async (spawned) => {
    spawned({ stderr: Readable.from([]) });
    return { ended: Promise.resolve("status 1"), stop: async () => {} };
  };
  const supervisor = new Supervisor(startWorkerd, (text) => said.push(text));
  await supervisor.start();
  const running = supervisor.keepRunning();
  // The first restart comes at once, as soon as the time of the mock passes. The second one waits.
  while (!said.some((text) => text.endsWith("in 0.25 s"))) {
    t.mock.timers.tick(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await supervisor.stop();
  await running;
  assert.deepEqual(
    said.map((text) => text.replace(/^.*\. /, "")),
    ["Starting it again at once", "serving again", "Starting it again in 0.25 s"],
  );
});

test("the pauses before a restart grow up to a bound, and start again after workerd has served for a minute", () => {
  const backoff = new Backoff();
  const pauses = (uptimes) => uptimes.map((upMs) => backoff.pause(upMs));
  assert.deepEqual(pauses([10, 10, 59_000, 10, 10, 10, 10, 10]), [0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  assert.deepEqual(pauses([60_000, 10]), [0, 250]);
});
