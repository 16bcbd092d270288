// `sse-broadcaster/worker`: examples/own-worker and docs/own-worker.md, with the package from the tarball.
import assert from "node:assert/strict";
import { cpSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createTestHarness } from "wrangler";
import { fromPackage, node, root, wrangler } from "../../scripts/install.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { execute, installPackage } from "../support/package.mjs";
import { freePort } from "../support/port.mjs";
import { read } from "../support/sources.mjs";
import { Started } from "../support/start.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { bearer, mint, SECRET, secretKey } from "../support/tokens.mjs";

const project = await installPackage();
cpSync(join(root, "examples", "own-worker"), project.folder, {
  recursive: true,
  filter: (path) => !path.endsWith("package.json"),
});
// The tools of the example: wrangler and TypeScript with its types.
for (const name of ["@cloudflare", "wrangler", "typescript", "@typescript"]) {
  symlinkSync(fromPackage(name), join(project.folder, "node_modules", name));
}

/** Runs a Worker in the folder of the example, as `wrangler dev` does. */
async function startWorker(worker) {
  const server = createTestHarness({ root: project.folder, workers: [worker] });
  const { url } = await server.listen();
  after(() => server.close());
  return { server, origin: url.origin };
}

/**
 * Writes the source of a Worker beside that of the example. It gets all requests, also those for which there is a file.
 * Returns its configuration for `startWorker`.
 */
function otherWorker(file, source) {
  writeFileSync(join(project.folder, "src", file), source);
  const config = read("examples/own-worker/wrangler.toml")
    .replace("src/index.ts", `src/${file}`)
    .replace('binding = "ASSETS"', 'binding = "ASSETS"\nrun_worker_first = true');
  writeFileSync(join(project.folder, `${file}.toml`), config);
  return { configPath: `${file}.toml` };
}

/** A Worker that calls the function of the hub that the path names, with the arguments in the body. */
const CALLER = `
import { HubError as ClientHubError } from "sse-broadcaster";
import { HubError, hub } from "sse-broadcaster/worker";
export { Channel } from "sse-broadcaster/worker";
export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (!pathname.startsWith("/call/")) return hub.fetch(request, env, context);
    const bindings = pathname.endsWith("/unbound") ? { ...env, CHANNEL: undefined } : env;
    if (pathname.endsWith("/forgotten")) {
      const [channel, data] = await request.json();
      hub.publish(env, channel, data);
      return Response.json(null);
    }
    try {
      return Response.json(await hub[pathname.split("/")[2]](bindings, ...(await request.json())));
    } catch (error) {
      const members = { ...error, name: error.name, message: error.message, isHubError: error instanceof HubError };
      if (HubError !== ClientHubError) throw new Error("the client and the mounted hub have different classes");
      return Response.json(members, { status: 500 });
    }
  },
};`;

/** Runs the example with `wrangler dev`. */
async function startExample() {
  const port = await freePort();
  const options = ["--port", String(port), "--inspector-port", "0"];
  const started = new Started([node, wrangler, "dev", ...options], { WRANGLER_SEND_METRICS: "false" }, project.folder);
  await started.says("Ready on");
  return { origin: `http://127.0.0.1:${port}` };
}

const example = await startExample();
const caller = await startWorker(otherWorker("caller.js", CALLER));
const order = (item) => fetch(`${example.origin}/orders`, { method: "POST", body: item });

test("the Worker's own code publishes to the streams of the hub that is mounted in it", {
  timeout: 60_000,
}, async () => {
  const stream = await subscribe({ url: `${example.origin}/channels/orders` });
  const response = await order("tea");
  assert.equal(response.status, 201);
  const { order: taken, receipt } = await response.json();
  assert.deepEqual({ ...receipt, id: typeof receipt.id }, { id: "string", events: 1, subscribers: 1, dropped: 0 });
  await stream.untilEvents(1);
  assert.deepEqual(stream.events, [{ id: receipt.id, event: "order", data: JSON.stringify(taken) }]);
});

test("the Worker keeps its own routes, and the mounted hub has no console", { timeout: 60_000 }, async () => {
  assert.match(await (await fetch(example.origin)).text(), /<h1>Orders<\/h1>/);
  assert.equal((await fetch(`${example.origin}/nothing`)).status, 404);
  const page = await fetch(`${example.origin}/channels/orders`, {
    headers: { "Sec-Fetch-Dest": "document" },
    redirect: "manual",
  });
  assert.equal(page.status, 200);
  await page.body?.cancel();
});

test("clients of a mounted hub need tokens as the settings of the Worker say", { timeout: 60_000 }, async () => {
  const publish = (headers = {}) =>
    fetch(`${example.origin}/channels/orders/broadcast`, { method: "POST", body: "x", headers });
  const refused = await publish();
  assert.equal(refused.status, 401);
  assert.match((await refused.json()).type, /:missing-token$/);
  const secret = readFileSync(join(project.folder, ".dev.vars"), "utf8").match(/^JWT_SECRET=(.+)$/m)?.[1] ?? "";
  const token = await mint({ publish: ["orders"] }, secretKey(secret));
  assert.equal((await publish(bearer(token))).status, 200);
});

test("the scheduled handler of the example publishes how many streams are open", { timeout: 60_000 }, async () => {
  const stream = await subscribe({ url: `${example.origin}/channels/orders` });
  const { status } = await fetch(`${example.origin}/cdn-cgi/handler/scheduled`);
  assert.equal(status, 200);
  await stream.until(() => stream.events.some(({ event }) => event === "audience"), "an event of the type audience");
  const { data } = stream.events.find(({ event }) => event === "audience") ?? {};
  assert.ok(JSON.parse(data ?? "{}").subscribers >= 1);
});

/** Calls a function of the hub in the Worker's own code. Returns the result, or the error that it has thrown. */
async function call(path, ...args) {
  const response = await fetch(`${caller.origin}/call/${path}`, { method: "POST", body: JSON.stringify(args) });
  return response.json();
}

test("the own code publishes text and JSON, once for each idempotency key", { timeout: 60_000 }, async () => {
  const stream = await subscribe({ url: `${caller.origin}/channels/data` });
  const first = await call("publish", "data", "text\nin two lines", { idempotencyKey: "a" });
  assert.deepEqual(await call("publish", "data", "text\nin two lines", { idempotencyKey: "a" }), first);
  await call("publish", "data", { é: [1, null] }, { type: "json" });
  await call("publish", "data", "");
  await stream.untilEvents(3);
  assert.deepEqual(
    stream.events.map(({ event, data }) => [event, data]),
    [
      [undefined, "text\nin two lines"],
      ["json", '{"é":[1,null]}'],
      [undefined, ""],
    ],
  );
});

test("a publish that the own code does not wait for is done all the same", { timeout: 60_000 }, async () => {
  const stream = await subscribe({ url: `${caller.origin}/channels/forgotten` });
  for (const data of ["1", "2", "3"]) assert.equal(await call("publish/forgotten", "forgotten", data), null);
  await stream.untilEvents(3);
});

test("the own code publishes to several channels, ends and deletes channels and reads counters", {
  timeout: 60_000,
}, async () => {
  const { channels } = await call("publish", ["several-1", "several-2"], "x");
  assert.deepEqual(
    channels.map(({ channel, events, replayed }) => [channel, events, replayed]),
    [
      ["several-1", 1, false],
      ["several-2", 1, false],
    ],
  );
  const stream = await subscribe({ url: `${caller.origin}/channels/several-1` });
  await call("end", "several-1", "last");
  await stream.untilEnded();
  assert.deepEqual(
    stream.events.map(({ event, data }) => event ?? data),
    ["last", "hub.end"],
  );
  const stats = await call("stats", "several-1");
  assert.deepEqual([stats.seq, stats.ended], [2, true]);
  assert.deepEqual((await call("end", "several-2")).events, 0);
  assert.deepEqual(Object.keys(await call("delete", "several-1")).sort(), ["dropped", "id", "subscribers"]);
  assert.equal((await call("stats", "several-1")).history.events, 0);
});

test("a refusal is thrown with the members of the hub's problem", { timeout: 60_000 }, async () => {
  const invalid = await call("publish", "no/such id", "x");
  assert.deepEqual([invalid.isHubError, invalid.name, invalid.status], [true, "HubError", 400]);
  assert.match(invalid.type, /^urn:sse-broadcaster:problem:/);
  assert.match(invalid.detail, /1 to 128 characters/);
  assert.equal(invalid.message, invalid.detail);
  // A URL has no such path segments.
  for (const id of [".", "..", ""]) assert.match((await call("stats", id)).type, /:invalid-channel-id$/, id);
  const type = await call("publish", "foo", "x", { type: "hub.end" });
  assert.equal(type.status, 400);
  await call("publish", "keys", "one", { idempotencyKey: "k" });
  const reused = await call("publish", ["keys", "other-keys"], "two", { idempotencyKey: "k" });
  assert.equal(reused.status, 422);
  assert.deepEqual(
    reused.channels.map(({ channel, error }) => [channel, error?.status]),
    [
      ["keys", 422],
      ["other-keys", undefined],
    ],
  );
  const large = await call("publish", "foo", "x".repeat(70_000));
  assert.equal(large.status, 413);
});

test("data that is no event, and a missing binding, are errors of the programmer", { timeout: 60_000 }, async () => {
  const missing = await call("publish", "foo");
  assert.match(missing.message, /^The data of an event is a string, or a value that JSON can express, not undefined/);
  const unbound = await call("stats/unbound", "foo");
  assert.match(unbound.message, /^env\.CHANNEL is no Durable Object namespace\. Bind the class Channel/);
});

test("paths beside /channels/ of a mounted hub are answered with 404, and /healthz with ok", {
  timeout: 60_000,
}, async () => {
  const path = async (path) => {
    const response = await fetch(caller.origin + path);
    return [response.status, (await response.text()).slice(0, 2)];
  };
  assert.deepEqual(await path("/healthz"), [200, "ok"]);
  // The Worker has a page, but the hub does not serve it.
  for (const other of ["/", "/index.html", "/openapi.yaml", "/channels/"])
    assert.deepEqual(await path(other), [404, '{"']);
});

test("a Worker can give the settings of the hub other names, as docs/own-worker.md shows", {
  timeout: 60_000,
}, async () => {
  const worker = otherWorker("renamed.ts", namedBlock("own names of settings"));
  const vars = { ACCESS: "something else", HUB_ACCESS: "publish-token", HUB_SECRET: SECRET };
  const { origin } = await startWorker({ ...worker, vars, secrets: {} });
  const stream = await subscribe({ url: `${origin}/channels/foo` });
  const init = { method: "POST", body: "x", headers: bearer(await mint({ publish: ["foo"] })) };
  assert.equal((await fetch(`${origin}/channels/foo/broadcast`, init)).status, 200);
  await stream.untilEvents(1);
});

test("the example's types are valid, also with the checks of all declarations", { timeout: 60_000 }, async () => {
  for (const skipLibCheck of ["false", "true"]) {
    const tsc = [node, fromPackage("typescript", "lib", "tsc.js"), "--skipLibCheck", skipLibCheck];
    const { status, stdout } = await execute(tsc, { cwd: project.folder });
    assert.deepEqual([status, stdout], [0, ""]);
  }
  const wrong = 'import { hub } from "sse-broadcaster/worker";\nhub.publish({}, "foo", 1);\n';
  writeFileSync(join(project.folder, "src", "wrong.ts"), wrong);
  const { stdout } = await execute([node, fromPackage("typescript", "lib", "tsc.js")], { cwd: project.folder });
  assert.match(stdout, /wrong\.ts\(2,13\).*CHANNEL/s);
});

test("a dry run deploys the example with the hub's objects and its WebAssembly", { timeout: 60_000 }, async () => {
  const { status, stdout } = await execute([node, wrangler, "deploy", "--dry-run", "--outdir", "out"], {
    cwd: project.folder,
  });
  assert.equal(status, 0, stdout);
  assert.match(stdout, /env\.CHANNEL \(Channel\) +Durable Object/);
});

test("docs/own-worker.md shows the files of the example", () => {
  assert.equal(namedBlock("own worker"), read("examples/own-worker/src/index.ts"));
  assert.equal(namedBlock("own worker's configuration"), read("examples/own-worker/wrangler.toml"));
});
