// `npm run serve` outlives its workerd: whatever ends that, it serves again, and streams resume without a hole.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../scripts/supervisor.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { idleConnections } from "../support/idle.mjs";
import { ReconnectingSubscriber } from "../support/reconnecting.mjs";
import { serve } from "../support/serve.mjs";
import { eventually, sleep } from "../support/wait.mjs";

const FOLLOWERS = 20;
const OPEN_FILES = 2001;
/** More than fit OPEN_FILES. */
const IDLE = 1_100;

/** A hub with a storage of its own, followers of one of its channels, and a publisher that tries until it succeeds. */
class Scene {
  static async start(limits) {
    const scene = new Scene();
    scene.hub = await serve({ STATE_DIR: temporaryFolder(), LOG_LEVEL: "error" }, limits);
    scene.channel = scene.hub.channel("followed");
    scene.published = [];
    await scene.publish();
    scene.followers = await Promise.all(
      Array.from({ length: FOLLOWERS }, () => ReconnectingSubscriber.start(scene.channel)),
    );
    return scene;
  }

  /** Publishes one event; by its key, it is published once however often it takes. */
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

  /** Publishes until `done` is fulfilled. */
  async publishUntil(done) {
    let isDone = false;
    const end = done.finally(() => (isDone = true));
    // It is awaited below, where no publish fails before.
    end.catch(() => {});
    while (!isDone) {
      await this.publish();
      await sleep(5);
    }
    await end;
  }

  /** Checks that each follower has read every event that was published, once. */
  async check() {
    await this.publish();
    const { id } = this.last;
    await eventually(
      () => this.followers.every((follower) => follower.hasReceived(id)),
      20_000,
      "all have read the last event",
    );
    for (const follower of this.followers) assert.deepEqual(follower.check(id), this.published.slice(1));
  }

  async stop() {
    for (const follower of this.followers) follower.stop();
    await this.hub.stop();
  }
}

test("idle connections beyond the limit of open files do not end it", { timeout: 90_000 }, async () => {
  const scene = await Scene.start({ openFiles: OPEN_FILES });
  const { hub } = scene;
  const attacked = async () => {
    // At its limit, workerd ends where it fails to accept a connection, and goes on where it fails to duplicate the file
    // of one that it has accepted. Which of them it is depends on how many files it has: so on another channel's three.
    for (let n = 0; !hub.output.includes("workerd ended by itself"); n++) {
      assert.ok(n < 5, "workerd bears it");
      await hub.channel(`other-${n}`).publish("x");
      const sockets = await idleConnections(hub, IDLE);
      await sleep(200);
      for (const socket of sockets) socket.destroy();
    }
    await hub.restarted();
  };
  await scene.publishUntil(attacked());
  await scene.check();
  const [line] = hub.lines().filter((line) => line.includes("workerd ended by itself"));
  assert.match(
    line,
    /ended by itself \(status 1\): it reached its limit of open files; raise the limit.*proxy.*at once$/,
  );
  assert.match(hub.output, /^sse-broadcaster: the limit of open files is 2001: enough for 980 connections \(/m);
  assert.match(hub.output, /accept\(\): Too many open files/, "what workerd said is shown");
  await scene.stop();
});

test("kill -9 of workerd, three times in a row: it serves again each time", { timeout: 90_000 }, async () => {
  const scene = await Scene.start();
  const { hub } = scene;
  for (let n = 1; n <= 3; n++) {
    const before = hub.workerd;
    process.kill(before, "SIGKILL");
    await scene.publishUntil(hub.restarted(n));
    assert.notEqual(hub.workerd, before);
    await scene.check();
  }
  const pauses = [...hub.output.matchAll(/ended by itself \(signal SIGKILL\): .*\. Starting it again (.*)/g)];
  assert.deepEqual(
    pauses.map(([, pause]) => pause),
    ["at once", "in 0.25 s", "in 0.5 s"],
  );
  await scene.stop();
});

for (const signal of ["SIGTERM", "SIGINT"]) {
  test(`${signal} ends it at once while it waits to start workerd again`, { timeout: 60_000 }, async () => {
    const hub = await serve({ STATE_DIR: temporaryFolder(), LOG_LEVEL: "error" });
    for (let n = 1; n <= 5; n++) {
      process.kill(hub.workerd, "SIGKILL");
      await hub.restarted(n);
    }
    process.kill(hub.workerd, "SIGKILL");
    await eventually(() => hub.output.includes("Starting it again in 4 s"));
    const since = performance.now();
    process.kill(hub.child.pid, signal);
    assert.equal(await hub.exitStatus(), 0);
    assert.ok(performance.now() - since < 2_000, "it has waited for the pause");
  });
}

test("pauses grow up to a bound, and are forgotten once workerd has served for a while", () => {
  const backoff = new Backoff();
  const pauses = (uptimes) => uptimes.map((upMs) => backoff.pause(upMs));
  assert.deepEqual(pauses([10, 10, 59_000, 10, 10, 10, 10, 10]), [0, 250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  assert.deepEqual(pauses([60_000, 10]), [0, 250]);
});
