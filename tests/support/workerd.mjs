// A hub on bare workerd: no wrangler, no inspector, one process whose memory is the hub's own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { root } from "../../scripts/install.mjs";
import { atExit } from "./cleanup.mjs";
import { Channel } from "./hub.mjs";
import { eventually } from "./wait.mjs";

const wranglerToml = readFileSync(join(root, "wrangler.toml"), "utf8");
const compatibilityDate = wranglerToml.match(/^compatibility_date = "(.+)"/m)[1];
const compatibilityFlags = wranglerToml.match(/^compatibility_flags = (\[.+\])/m)[1];

function config(port, settings) {
  const text = Object.entries(settings).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "hub", worker = .hub)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "hub")],
);
const hub :Workerd.Worker = (
  modules = [
    (name = "index.js", esModule = embed "index.js"),
    (name = "./index_bg.wasm", wasm = embed "index_bg.wasm"),
  ],
  compatibilityDate = "${compatibilityDate}",
  compatibilityFlags = ${compatibilityFlags},
  durableObjectNamespaces = [(className = "Channel", uniqueKey = "channel", enableSql = true)],
  durableObjectStorage = (inMemory = void),
  bindings = [(name = "CHANNEL", durableObjectNamespace = "Channel"), ${text.join(", ")}],
);
`;
}

/** A port that nobody uses just now. */
export async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Starts workerd on a free port; it is killed after the test or file that started it. */
export async function startWorkerd(settings = {}) {
  const folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-"));
  const port = await freePort();
  const path = join(folder, "config.capnp");
  writeFileSync(path, config(port, settings));
  // A config embeds files beside it only.
  for (const file of ["index.js", "index_bg.wasm"]) copyFileSync(join(root, "build", file), join(folder, file));
  const child = spawn(join(root, "node_modules/.bin/workerd"), ["serve", path], { stdio: ["ignore", "ignore", "inherit"] });
  // workerd may ignore a polite signal while streams of clients that have gone are open.
  const stop = () => {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };
  after(stop);
  atExit(stop);
  const origin = `http://127.0.0.1:${port}`;
  await eventually(() => fetch(`${origin}/healthz`).then((response) => response.ok, () => false));
  const hub = {
    origin,
    channel: (id) => new Channel(hub, id),
    /** Its resident memory, in bytes. */
    residentBytes: () => Number(readFileSync(`/proc/${child.pid}/status`, "utf8").match(/VmRSS:\s+(\d+) kB/)[1]) * 1024,
  };
  return hub;
}
