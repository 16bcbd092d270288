// The watchdog of the client, with the clock of the test.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { createWatchdog } from "../../client/src/watchdog.ts";

/** The time that a stream gets after the limit. */
const GRACE = 1_000;

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
});

/** Starts a watchdog for a stream. Returns it, and how many times it has said that a stream is dead. */
function start() {
  const watchdog = createWatchdog();
  const state = { watchdog, deaths: 0, next: () => watchdog.start(() => state.deaths++) };
  state.next();
  return state;
}

/** Heartbeats arrive, `count` times. */
function beat(watchdog, ms, count) {
  for (let n = 0; n < count; n++) {
    mock.timers.tick(ms);
    watchdog.touch();
    watchdog.beat();
  }
}

/** Returns after how many milliseconds of silence the watchdog says that the stream is dead. */
function silence(state) {
  const before = state.deaths;
  for (let ms = 0; ms < 400_000; ms += 50) {
    if (state.deaths > before) return ms - GRACE;
    mock.timers.tick(50);
  }
  throw new Error("it never dies");
}

test("a stream is dead after 30 s without a byte, if no two heartbeats have arrived before", () => {
  assert.equal(silence(start()), 30_000);
});

for (const seconds of [1, 5, 15, 25]) {
  test(`a stream with a heartbeat every ${seconds} s is dead after twice that time without a byte`, () => {
    const state = start();
    beat(state.watchdog, seconds * 1_000, 3);
    assert.equal(silence(state), Math.max(2_000, seconds * 2_000));
  });
}

test("a stream whose heartbeats come in a random quarter of the period does not die", () => {
  const state = start();
  for (let n = 0; n < 1_000; n++) beat(state.watchdog, 750 + Math.random() * 250, 1);
  assert.equal(state.deaths, 0);
});

test("events keep a stream alive, and the time between two of them is not measured", () => {
  const state = start();
  for (let n = 0; n < 100; n++) {
    mock.timers.tick(600);
    state.watchdog.touch();
    n % 2 ? state.watchdog.event() : state.watchdog.beat();
  }
  assert.equal(silence(state), 30_000);
});

for (const seconds of [40, 60, 100]) {
  test(`with a heartbeat every ${seconds} s, a quiet stream dies at most twice until the client knows that`, () => {
    const state = start();
    const end = Date.now() + 3_600_000;
    while (Date.now() < end) {
      const deaths = state.deaths;
      let waited = 0;
      while (waited < seconds * 1_000 && state.deaths === deaths) {
        mock.timers.tick(500);
        waited += 500;
      }
      if (state.deaths > deaths) state.next();
      else beat(state.watchdog, 0, 1);
    }
    assert.ok(state.deaths <= 2, `${state.deaths} deaths`);
  });
}

test("the limit of streams without heartbeats does not grow beyond two minutes", () => {
  const state = start();
  for (const limit of [30_000, 60_000, 120_000, 120_000]) {
    assert.equal(silence(state), limit);
    state.next();
  }
});

test("heartbeats that were held up and arrive together do not shorten the limit", () => {
  const state = start();
  beat(state.watchdog, 15_000, 2);
  beat(state.watchdog, 0, 5);
  assert.equal(silence(state), 30_000);
});

test("a measured time that is too short is forgotten when the stream dies of it", () => {
  const state = start();
  beat(state.watchdog, 600, 2);
  assert.equal(silence(state), 2_000);
  state.next();
  assert.equal(silence(state), 30_000);
});

test("after a sleep of the machine, the stream has a second to show that it is alive", () => {
  const state = start();
  beat(state.watchdog, 15_000, 2);
  // The timers of a machine that sleeps do not run.
  mock.timers.setTime(Date.now() + 0);
  mock.timers.tick(30_000);
  state.watchdog.touch();
  state.watchdog.beat();
  mock.timers.tick(10_000);
  assert.equal(state.deaths, 0);
});

test("a check ends a stream within a second if a heartbeat is overdue, and only then", () => {
  const state = start();
  beat(state.watchdog, 10_000, 3);
  mock.timers.tick(5_000);
  state.watchdog.check();
  mock.timers.tick(4_900);
  assert.equal(state.deaths, 0);
  mock.timers.tick(200);
  state.watchdog.check();
  mock.timers.tick(GRACE);
  assert.equal(state.deaths, 1);
});

test("a stream that is not read at the moment does not die", () => {
  const state = start();
  state.watchdog.stop();
  mock.timers.tick(1_000_000);
  state.watchdog.check();
  mock.timers.tick(1_000_000);
  assert.equal(state.deaths, 0);
});
