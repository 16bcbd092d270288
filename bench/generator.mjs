// The load generator, sse-load: builds it, and runs it against a server.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fail, root, run } from "../scripts/install.mjs";
import { atExit } from "../tests/support/cleanup.mjs";
import { argumentsOf, secondsOf } from "./loads.mjs";

// What a run may take beyond its load: opening 5,000 streams, a server that is slower than the rate.
const PATIENCE_MS = 180_000;

/** The folders that cargo builds a profile into, where they are not called like it. */
const FOLDERS = { test: "debug", dev: "debug" };

/** Builds it in a profile of cargo's, where that is not done yet. Returns where it is. */
export function buildGenerator(profile = "release") {
  run("cargo", ["build", "--quiet", "--locked", "-p", "sse-load", "--profile", profile], {
    help: "Is a C linker installed (Debian: apt-get install build-essential)?",
  });
  const metadata = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
  const { target_directory: target } = JSON.parse(execFileSync("cargo", metadata, { cwd: root, encoding: "utf8" }));
  if (!target) fail("cargo does not say where it builds");
  return join(target, FOLDERS[profile] ?? profile, "sse-load");
}

/** Where a channel is, on every server. */
export function channelPath(number) {
  return `/channels/bench-${number}`;
}

/**
 * Puts a load on a server that was started, and returns what the generator reports. Both servers and generator would
 * go on for ever where a server answers nothing; so there is an end to it.
 */
export async function generate(program, server, load) {
  const path = channelPath("{channel}");
  const urls = ["--subscribe", `${server.origin}${path}`, "--publish", `${server.origin}${path}/broadcast`];
  const child = spawn(program, [...urls, "--pid", server.pid, ...argumentsOf(load)], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: secondsOf(load) * 1_000 + PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  const forget = atExit(() => child.kill("SIGKILL"));
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (data) => (said[name] += data));
  const [status, signal] = await once(child, "close");
  forget();
  if (signal)
    throw new Error(`the load generator was ended by ${signal}: the load took too long, or somebody else ended it`);
  if (status !== 0) throw new Error(said.stderr.trim().replace(/\s*\n\s*/g, "; "));
  return JSON.parse(said.stdout);
}

/** Starts a server for a load, has `work` do something with it, and stops it. Resolves to what `work` resolves to. */
export async function withServer({ start }, { subscribers, channels = 1, herd = 0, settings }, work) {
  const server = await start(Math.ceil(subscribers / channels) + herd, settings);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Starts a server, puts a load on it and stops it. Returns { report, versions }. */
export function measure(program, server, load) {
  return withServer(server, load, async (server) => {
    return { report: await generate(program, server, load), versions: server.versions };
  });
}
