// What must hold for every proxy of examples/proxies/, with its file as it stands.
import assert from "node:assert/strict";
import http2 from "node:http2";
import { describe, test } from "node:test";
import { openBrowser } from "./browser.mjs";
import { cases } from "./cases.mjs";
import { namedBlock } from "./markdown.mjs";
import { missingProxy, startProxy } from "./proxies.mjs";
import { openStream, PROTOCOLS } from "./proxy-streams.mjs";
import { eventually, sleep } from "./wait.mjs";
import { startWebsite } from "./website.mjs";
import { startWorkerd } from "./workerd.mjs";

/** What a proxy answers to a request for a stream while the hub is away. */
const AWAY = `${namedBlock("answer while the hub is away")}\n`;
/** What a proxy answers to all other requests then. */
const UNREACHABLE = [502, 503, 504];
const EVENT_STREAM = "text/event-stream; charset=utf-8";
const OUTAGE_MS = 6_000;
/** A timeout of an idle stream, and a time that is longer. In the files, the timeout is 60 s. */
const IDLE = "4s";
const IDLE_MS = 10_000;
const OFTEN = { HEARTBEAT_SECONDS: "1", LOG_LEVEL: "error" };
const RARELY = { HEARTBEAT_SECONDS: "60", LOG_LEVEL: "error" };

const limit = { timeout: 90_000 };

/**
 * Starts a hub and a proxy in front of it.
 * @param {import("./proxies.mjs").Proxy} proxy
 * @param {import("./hub.mjs").Settings} settings
 * @param {Parameters<typeof startProxy>[2]} [options]
 */
async function startBoth(proxy, settings, options) {
  const hub = await startWorkerd(settings);
  return { hub, ...(await startProxy(proxy, hub, options)) };
}

const subscribersOf = async (hub, id) => (await hub.channel(id).stats()).subscribers;

/**
 * Defines the tests of a proxy.
 * @param {import("./proxies.mjs").Proxy} proxy
 * @param {{ onlyOrigins: (text: string) => string, streams?: number }} options `onlyOrigins` follows the comment in the
 *   proxy's file that says how to allow only the pages of https://app.example.com; `streams` is how many streams and a
 *   publish can be on one HTTP/2 connection
 */
export async function testProxy(proxy, { onlyOrigins, streams = 20 }) {
  const { name } = proxy;
  const skip = missingProxy(proxy);
  const shared = skip ? undefined : await startBoth(proxy, OFTEN);
  describe(name, { concurrency: true, skip }, () => {
    test(
      `${name} passes on ${streams} streams and a publish over one HTTP/2 connection at the same time`,
      limit,
      async () => {
        await checkMultiplexing(shared, streams);
      },
    );

    test(`${name} keeps an idle stream open as long as heartbeats arrive, and not longer`, limit, async () => {
      await Promise.all([
        startBoth(proxy, OFTEN, { idle: IDLE }).then(({ origin }) => checkIdle(origin, false)),
        startBoth(proxy, RARELY, { idle: IDLE }).then(({ origin }) => checkIdle(origin, true)),
      ]);
    });

    test(`${name} lets the hub notice that a client has gone`, limit, async () => {
      const { hub, origin } = shared;
      for (const protocol of PROTOCOLS) {
        const stream = await openStream(protocol, `${origin}/channels/gone`);
        await eventually(async () => (await subscribersOf(hub, "gone")) === 1);
        stream.close();
        await eventually(
          async () => (await subscribersOf(hub, "gone")) === 0,
          10_000,
          `the ${protocol} client is gone`,
        );
      }
    });

    test(
      `the script of the README gets every event once in Chromium through ${name} and an outage of the hub`,
      limit,
      () => checkOutage(proxy),
    );

    test(`${name} writes no token into a log`, limit, () => checkLogs(proxy));

    test(`${name} answers only requests for a stream with a stream while the hub is away`, limit, async () => {
      const { hub, origin } = await startBoth(proxy, OFTEN);
      assert.equal(await (await fetch(`${origin}/healthz`)).text(), "ok");
      await hub.kill();
      await checkAnswersWhileAway(origin);
      await hub.start();
      await eventually(async () => (await fetch(`${origin}/healthz`)).ok, 10_000, "the health check answers again");
      const stream = await fetch(`${origin}/channels/foo`, { headers: { accept: "text/event-stream" } });
      await stream.body?.cancel();
      assert.equal(stream.status, 200);
    });

    test(`${name} passes on the hub's own refusals`, limit, async () => {
      const { origin } = await startBoth(proxy, { ...OFTEN, MAX_SUBSCRIBERS: "1" });
      const stream = await openStream("HTTP/2", `${origin}/channels/foo`);
      for (const [accept, status] of cases([
        ["text/event-stream", 200],
        ["*/*", 503],
      ])) {
        const refused = await fetch(`${origin}/channels/foo`, { headers: { accept } });
        assert.match(await refused.text(), /urn:sse-broadcaster:problem:channel-full/);
        assert.equal(refused.status, status);
      }
      stream.close();
    });

    test(`${name} lets only pages of listed origins read its answers, if the file lists them`, limit, async () => {
      const { hub, origin } = await startBoth(proxy, OFTEN, { edit: onlyOrigins });
      await hub.kill();
      for (const [page, allowed, credentials] of [
        ["https://app.example.com", "https://app.example.com", "true"],
        ["https://app.example.com.evil.example", null, null],
        [undefined, null, null],
      ]) {
        const { headers } = await readAway(origin, page ? { origin: page } : {});
        assert.equal(headers.get("access-control-allow-origin"), allowed, page);
        assert.equal(headers.get("access-control-allow-credentials"), credentials, page);
      }
    });
  });
}

async function checkMultiplexing({ hub, origin }, count) {
  const session = http2.connect(origin);
  try {
    const received = Array.from({ length: count }, () => "");
    for (const n of received.keys()) {
      const stream = session.request({ ":path": `/channels/many${n}`, accept: "text/event-stream" });
      stream.setEncoding("utf8").on("data", (text) => {
        received[n] += text;
      });
    }
    await eventually(() => received.every((text) => text !== ""), 10_000, "all streams are open");
    const last = count - 1;
    const publish = session.request({ ":path": `/channels/many${last}/broadcast`, ":method": "POST" });
    publish.end("now");
    await eventually(() => received[last].includes("data: now"), 10_000, "the last stream gets the event");
    assert.equal(await subscribersOf(hub, "many0"), 1);
  } finally {
    session.destroy();
  }
}

async function checkIdle(origin, ends) {
  const streams = await Promise.all(PROTOCOLS.map((protocol) => openStream(protocol, `${origin}/channels/foo`)));
  await sleep(IDLE_MS);
  for (const [index, { ended }] of streams.entries()) assert.equal(ended, ends, PROTOCOLS[index]);
}

/** Requests a stream while the hub is away, and checks the answer. */
async function readAway(origin, headers = {}) {
  const response = await fetch(`${origin}/channels/foo`, { headers: { accept: "text/event-stream", ...headers } });
  assert.deepEqual([response.status, await response.text()], [200, AWAY]);
  assert.equal(response.headers.get("content-type"), EVENT_STREAM);
  assert.equal(response.headers.get("cache-control"), "no-store");
  return response;
}

async function checkAnswersWhileAway(origin) {
  const answer = await readAway(origin, { origin: "https://app.example.com" });
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  for (const accept of ["Text/Event-Stream", "text/html, text/event-stream;q=0.9"]) await readAway(origin, { accept });
  for (const [method, path, accept] of [
    ["GET", "/channels/foo/events", "application/json"],
    ["GET", "/healthz", "*/*"],
    ["POST", "/channels/foo/broadcast", "text/event-stream"],
    ["POST", "/channels/foo/broadcast", "*/*"],
    ["DELETE", "/channels/foo", "text/event-stream"],
    ["HEAD", "/channels/foo", "text/event-stream"],
  ]) {
    const body = method === "POST" ? "x" : undefined;
    const { status } = await fetch(origin + path, { method, body, headers: { accept } });
    assert.ok(UNREACHABLE.includes(status), `${method} ${path} that accepts ${accept} is answered ${status}`);
  }
}

/** Runs the script of the README in Chromium through an outage of the hub. */
async function checkOutage(proxy) {
  const { hub, origin } = await startBoth(proxy, OFTEN);
  const channel = hub.channel("foo");
  const browser = await openBrowser();
  const site = await startWebsite();
  const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  /** What the script writes to the console. */
  const lines = [];
  page.on("console", (message) => message.type() === "log" && lines.push(message.text()));
  await page.goto(`${site}/empty`);
  const watch = `
    window.received = { errors: [], closed: 0 };
    source.addEventListener("hub.error", ({ data }) => received.errors.push(data));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) received.closed++;
    });`;
  const script = namedBlock("subscribe in a page").replace("http://127.0.0.1:8080", origin);
  await page.addScriptTag({ content: script + watch });
  await eventually(async () => (await subscribersOf(hub, "foo")) === 1);
  const expected = [];
  const publish = async (count) => {
    for (let n = 0; n < count; n++) {
      const data = `event ${expected.length}`;
      expected.push(`${(await channel.publish(data)).id} ${data}`);
    }
  };
  const all = () => eventually(() => lines.length >= expected.length, 30_000, `${expected.length} events`);
  await publish(5);
  await all();
  const until = performance.now() + OUTAGE_MS;
  await hub.kill();
  const { status } = await fetch(`${origin}${channel.path}/broadcast`, { method: "POST", body: "lost" });
  assert.ok(UNREACHABLE.includes(status), `a publish during the outage is answered ${status}`);
  await sleep(until - performance.now());
  await hub.start();
  await publish(5);
  await all();
  await publish(5);
  await all();
  const { errors, closed } = await page.evaluate(() => window.received);
  assert.deepEqual(lines, expected);
  assert.equal(closed, 0, "EventSource has not given up");
  assert.ok(errors.length > 0, "the proxy has answered instead of the hub");
  assert.deepEqual(new Set(errors.map((error) => JSON.parse(error).status)), new Set([502]));
}

/** Sends tokens in all places, while the hub is there, while it goes away, and while it is away. */
async function checkLogs(proxy) {
  const { hub, origin, logs } = await startBoth(proxy, OFTEN);
  const token = "header.very-secret-token.signature";
  const headers = {
    authorization: `Bearer ${token}`,
    cookie: `sse_broadcaster_token=${token}`,
    referer: `https://app.example.com/?token=${token}`,
  };
  const basic = { authorization: `Basic ${Buffer.from(`:${token}`).toString("base64")}` };
  const send = async (path, init = {}) => {
    const response = await fetch(`${origin}${path}?token=${token}&authorization=${token}`, init);
    await response.body?.cancel();
  };
  const sendAll = async () => {
    await send("/channels/foo/stats", { headers });
    await send("/channels/foo/stats", { headers: basic });
    await send("/channels/foo/broadcast", { headers, method: "POST", body: "x" });
    await send("/channels/foo", { headers: { ...headers, accept: "text/event-stream" } });
  };
  for (const protocol of PROTOCOLS) await openStream(protocol, `${origin}/channels/foo?token=${token}`, headers);
  await sendAll();
  await hub.kill();
  await sendAll();
  await eventually(
    async () => {
      await send("/channels/logged/stats");
      return Object.values(logs()).some((text) => text.includes("/channels/logged/stats"));
    },
    15_000,
    "the proxy logs the path of a request",
  );
  for (const [file, text] of Object.entries(logs())) {
    for (const secret of ["very-secret-token", basic.authorization.slice("Basic ".length)]) {
      assert.ok(!text.includes(secret), `${file} has a token: ${text}`);
    }
  }
}
