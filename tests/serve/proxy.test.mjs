// nginx in front of the hub with the documented configuration.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { atExit } from "../support/cleanup.mjs";
import { temporaryFolder } from "../support/folder.mjs";
import { Channel } from "../support/hub.mjs";
import { idleConnections } from "../support/idle.mjs";
import { namedBlock } from "../support/markdown.mjs";
import { freePort } from "../support/port.mjs";
import { missingTool } from "../support/snippets.mjs";
import { subscribe } from "../support/subscriber.mjs";
import { eventually, sleep } from "../support/wait.mjs";
import { startWorkerd } from "../support/workerd.mjs";

const IDLE = 1_100;
/** The documented limit of connections for each address. */
const ALLOWED = 100;
const skip = missingTool("nginx", "nginx");

/** Returns the documented configuration for the hub of this test: without TLS, and with other ports and logs. */
function configuration(port, hub, folder) {
  const replace = (text, pattern, by) => {
    assert.match(text, pattern);
    return text.replace(pattern, by);
  };
  let site = replace(namedBlock("nginx configuration"), /listen 443 ssl http2;/, `listen 127.0.0.1:${port};`);
  site = replace(site, /^ *ssl_certificate.*\n *ssl_certificate_key.*\n/m, "");
  site = replace(site, /server 127\.0\.0\.1:8080 /, `server 127.0.0.1:${hub.options.port} `);
  site = replace(site, /access_log \S+ hub/, `access_log ${folder}/access.log hub`);
  site = replace(site, /error_log \S+ crit/, `error_log ${folder}/site-error.log crit`);
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off; pid ${folder}/pid; error_log ${folder}/error.log; ${namedBlock("nginx limits")}
http { ${paths.join(" ")} ${site} }`;
}

/** Starts nginx in front of `hub`. Returns its origin and its access log. */
async function startNginx(hub) {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "logs"));
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  writeFileSync(file, configuration(port, hub, folder));
  const nginx = spawn("nginx", ["-p", folder, "-c", file], { stdio: ["ignore", "inherit", "inherit"] });
  const kill = () => nginx.kill("SIGTERM");
  after(async () => {
    kill();
    if (nginx.exitCode === null) await once(nginx, "exit");
  });
  atExit(kill);
  const origin = `http://127.0.0.1:${port}`;
  await eventually(
    () =>
      fetch(`${origin}/healthz`).then(
        (response) => response.ok,
        () => false,
      ),
    10_000,
    "nginx answers",
  );
  return { origin, log: () => readFileSync(join(folder, "access.log"), "utf8") };
}

const hub = skip ? undefined : await startWorkerd({ LOG_LEVEL: "error" });
const proxy = skip ? undefined : await startNginx(hub);
const openFiles = () => readdirSync(`/proc/${hub.pid}/fd`).length;

test("nginx passes each event at once and logs no query", { skip, timeout: 30_000 }, async () => {
  const channel = new Channel(proxy, "foo");
  const stream = await subscribe(channel);
  for (let n = 1; n <= 20; n++) {
    const since = performance.now();
    await channel.publish(`${n}`);
    await stream.untilEvents(n);
    assert.ok(performance.now() - since < 1_000, "nginx buffers events");
  }
  assert.equal(stream.account().events.length, 20);
  await (await fetch(`${proxy.origin}/channels/foo/stats?token=secret`)).body.cancel();
  await eventually(() => proxy.log().includes('"GET /channels/foo/stats" 200'));
  assert.ok(!proxy.log().includes("secret"));
  stream.close();
});

describe("idle connections", { concurrency: true, skip }, () => {
  for (const [name, text] of [
    ["that send nothing", ""],
    ["with unfinished headers", "GET /channels/foo HTTP/1.1\r\nHost: x\r\n"],
    ["with unfinished bodies", "POST /channels/foo/broadcast HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\nhalf"],
  ]) {
    test(`nginx passes no connections ${name} to the hub, and closes them`, { timeout: 60_000 }, async () => {
      const before = openFiles();
      const sockets = await idleConnections(proxy, IDLE, text);
      await sleep(1_000);
      const more = openFiles() - before;
      assert.ok(more <= 8, `the hub has ${more} more files open`);
      await eventually(() => sockets.every((socket) => socket.closed), 20_000, "nginx closes them");
    });
  }
});

test(`nginx passes ${ALLOWED} streams of one address to the hub, and tells a browser to retry`, {
  skip,
  timeout: 60_000,
}, async () => {
  assert.equal((await new Channel(proxy, "foo").publish("x")).events, 1);
  const text = "GET /channels/many HTTP/1.1\r\nHost: x\r\n\r\n";
  const sockets = await idleConnections(proxy, IDLE, text);
  const answered = (status) => sockets.filter((socket) => socket.received.startsWith(`HTTP/1.1 ${status} `)).length;
  await eventually(() => answered(200) + answered(503) === IDLE, 20_000, "each request is answered");
  assert.equal(answered(200), ALLOWED);
  const { subscribers } = await hub.channel("many").stats();
  assert.equal(subscribers, ALLOWED);
  // A browser's EventSource does not reconnect after a status other than 200.
  const browser = await fetch(`${proxy.origin}/channels/many`, { headers: { Accept: "text/event-stream" } });
  assert.deepEqual([browser.status, await browser.text()], [200, "retry: 5000\n\n"]);
  assert.equal(browser.headers.get("content-type"), "text/event-stream");
  for (const socket of sockets) socket.destroy();
});
