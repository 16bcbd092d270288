// Computes the numbers of docs/cost.md again, from the prices and the applications that the page states.
import assert from "node:assert/strict";
import { test } from "node:test";
import { tableOf } from "../support/markdown.mjs";
import { read } from "../support/sources.mjs";

const PAGE = "docs/cost.md";
const GB = 0.128;
const HOUR = 3_600;
const DAYS = 30;
const MILLION = 1_000_000;
const CPU_MS = 0.6;

/** Returns the number in a cell, or undefined if the cell has no number. */
function number(cell) {
  const text = cell.replaceAll(/[,*]/g, "");
  return text && Number.isFinite(Number(text)) ? Number(text) : undefined;
}

/** Returns a table as a map from the first cell of each row to the other cells. */
const rowsOf = (first) => new Map(tableOf(PAGE, first).map(([name, ...cells]) => [name.replaceAll("*", ""), cells]));

const prices = new Map([...rowsOf("Usage")].slice(1).map(([name, cells]) => [name, cells.map(number)]));
const applications = rowsOf("A day, all channels together");
const usage = rowsOf("A month");
const costs = rowsOf("USD a month");
const names = applications.get("A day, all channels together");

/** Returns the assumptions about the application in a column. */
function assumptions(column) {
  const value = (row) => number(applications.get(row)[column]) ?? Number.NaN;
  return {
    channels: value("Channels"),
    hours: value("Hours with an open stream, per channel"),
    publishes: value("Publishes"),
    streams: value("Streams opened"),
  };
}

/** Returns the usage of an application in `days`. */
function used({ channels, hours, publishes, streams }, days) {
  const requests = (publishes + streams) * days;
  return new Map([
    ["Worker requests", requests],
    ["Worker CPU, ms", requests * CPU_MS],
    ["Object requests", requests],
    ["Object time, GB-s", channels * hours * HOUR * GB * days],
    ["Rows written", publishes * days],
  ]);
}

/** Returns the cost of the usage beyond the included one, in USD. */
function cost(name, amount, round = (millions) => millions) {
  const [included, price] = prices.get(name);
  return round(Math.max(0, amount - included) / MILLION) * price;
}

const PLAN = 5;
const total = (amounts, round) => [...amounts].reduce((sum, [name, amount]) => sum + cost(name, amount, round), PLAN);
const dollars = (amount) => amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const whole = (amount) => Math.round(amount).toLocaleString("en-US");

assert.equal(names.length, 3);
for (const [column, name] of names.entries()) {
  test(`the usage and the cost of "${name}" follow from its assumptions and the prices`, () => {
    const month = used(assumptions(column), DAYS);
    for (const [row, amount] of month) {
      assert.equal(usage.get(row)[column], whole(amount), row);
      assert.equal(costs.get(row)[column], dollars(cost(row, amount)), row);
    }
    assert.equal(costs.get("Plan")[column], dollars(PLAN));
    assert.equal(costs.get("Total")[column].replaceAll("*", ""), dollars(total(month)));
    assert.equal(costs.get("Total, with each overage rounded up")[column], dollars(total(month, Math.ceil)));
  });

  test(`"${name}" fits the free plan, or does not, as the page says`, () => {
    const fits = [...used(assumptions(column), 1)].every(([row, amount]) => amount <= (prices.get(row)[2] ?? Infinity));
    assert.equal(costs.get("Fits the free plan")[column], fits ? "yes" : "no");
  });
}

test("the sentences about one channel that always has a stream follow from the prices", () => {
  const page = read(PAGE);
  const [included, price, free] = prices.get("Object time, GB-s");
  const month = DAYS * 24 * HOUR * GB;
  const day = 24 * HOUR * GB;
  assert.ok(page.includes(`= ${whole(month)} GB-s. At USD ${dollars(price)} a million`));
  assert.ok(page.includes(`**USD ${dollars((month * price) / MILLION)} for each channel**`));
  assert.ok(included > month && included < 2 * month, "the paid plan includes one such channel");
  assert.ok(page.includes(`= ${whole(day)} GB-s. The free plan has ${whole(free)} GB-s a day`));
  assert.equal(Math.floor(free / day), 1);
});

test("the cost of notifications to users who are online for 8 hours follows from the prices", () => {
  const { channels } = assumptions(names.indexOf("Notifications"));
  const time = channels * 8 * HOUR * GB * DAYS;
  assert.ok(
    read(PAGE)
      .replace(/\s+/g, " ")
      .includes(`object time would cost USD ${dollars(cost("Object time, GB-s", time))} a`),
  );
});

const heldDay = rowsOf("A day, held by the Worker");
const heldMonth = rowsOf("A month, held by the Worker");
const heldCosts = rowsOf("USD a month, held by the Worker");
const MESSAGE_MS = 0.025;
const HEARTBEATS_A_MINUTE = 5;
const SECONDS_UNTIL_SLEEP = 10;
const SECONDS_A_DAY = 24 * HOUR;

/** Returns the assumptions about the application in a column of the tables for streams that the Worker holds. */
function heldAssumptions(column) {
  const value = (row) => number(heldDay.get(row)[column]) ?? Number.NaN;
  return {
    users: value("Users, each with a channel"),
    events: value("Events of each user's channel"),
    shared: value("Shared channels"),
    sharedEvents: value("Events of each shared channel"),
    streams: value("Streams opened"),
  };
}

/** Returns the usage of a month if the Worker holds the streams, and if the objects do. */
function usedByHolders({ users, events, shared, sharedEvents, streams }) {
  const publishes = users * events + shared * sharedEvents;
  const feeds = 1 + shared;
  const deliveries = users * (events + shared * sharedEvents);
  const messages = users * 24 * 60 * (HEARTBEATS_A_MINUTE + feeds) + deliveries;
  const awake = (wakes) => Math.min(SECONDS_A_DAY, wakes * SECONDS_UNTIL_SLEEP);
  const seconds = users * awake(events + (2 * streams) / users) + shared * awake(sharedEvents + 2 * streams);
  const worker = new Map([
    ["Worker requests", (publishes + streams) * DAYS],
    ["Worker CPU, ms", ((publishes + streams) * CPU_MS + messages * MESSAGE_MS) * DAYS],
    ["Object requests", (publishes + streams * feeds) * DAYS],
    ["Object time, GB-s", seconds * GB * DAYS],
    ["Rows written", publishes * DAYS],
  ]);
  const channels = users + shared;
  return { worker, object: used({ channels, hours: 24, publishes, streams: streams * feeds }, DAYS) };
}

for (const [column, name] of heldDay.get("A day, held by the Worker").entries()) {
  test(`the cost of "${name}" with streams that the Worker holds follows from its assumptions and the prices`, () => {
    const { worker, object } = usedByHolders(heldAssumptions(column));
    for (const [row, amount] of worker) {
      const cell = row === "Object time, GB-s" ? `${row}, at most` : row;
      assert.equal(heldMonth.get(cell)[column], whole(amount), row);
      assert.equal(heldCosts.get(cell)[column], dollars(cost(row, amount)), row);
    }
    assert.equal(heldCosts.get("Plan")[column], dollars(PLAN));
    assert.equal(heldCosts.get("Total, at most")[column].replaceAll("*", ""), dollars(total(worker)));
    assert.equal(heldCosts.get("Total if the objects hold the streams")[column], dollars(total(object)));
  });
}

test("the sentences about streams that the Worker holds follow from the prices", () => {
  const page = read(PAGE).replace(/\s+/g, " ");
  const [, price] = prices.get("Object time, GB-s");
  const awake = (wakesADay) => (wakesADay * SECONDS_UNTIL_SLEEP * DAYS * GB * price) / MILLION;
  assert.ok(page.includes(`which is at most USD ${dollars(awake(24 * 60))} a month`));
  assert.ok(page.includes(`With one event an hour, it is at most USD ${dollars(awake(24))}.`));
  const { streams, ...rest } = heldAssumptions(0);
  const { worker } = usedByHolders({ ...rest, streams: streams + 32_000 });
  assert.ok(
    page.includes(
      `up to 32,000 more streams are then opened a day, and the total is at most USD ${dollars(total(worker))}.`,
    ),
  );
});

test("the README and the troubleshooting page state the same numbers", () => {
  const readme = read("README.md").replace(/\s+/g, " ");
  const [dashboard, notifications, scores] = costs.get("Total").map((cell) => cell.replaceAll("*", ""));
  assert.ok(readme.includes(`USD ${dashboard} a month for a dashboard, USD ${scores} for live scores`));
  assert.ok(readme.includes(`and USD ${notifications} for 1,000 users`));
  const held = heldCosts.get("Total, at most")[0].replaceAll("*", "");
  assert.ok(readme.includes(`at most USD ${held}`));
  assert.ok(read("docs/troubleshooting.md").includes(`uses ${whole(24 * HOUR * GB)} of the 13,000 GB-s a day`));
});
