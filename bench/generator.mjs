// Builds the load generator sse-load, and runs it against a server.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fail, root, run } from "../scripts/install.mjs";
import { atExit } from "../tests/support/cleanup.mjs";
import { argumentsOf, secondsOf } from "./loads.mjs";

// How long a run may take beyond the time of its load, for example to open 5,000 streams or to wait for a slow server.
const PATIENCE_MS = 180_000;

/** The output folders of the cargo profiles whose folder has another name. */
const FOLDERS = { test: "debug", dev: "debug" };

/** Builds the generator in a cargo profile if necessary. Returns the path of the program. */
export async function buildGenerator(profile = "release") {
  await run("cargo", ["build", "--quiet", "--locked", "-p", "sse-load", "--profile", profile], {
    help: "Check that a C linker is installed (Debian: apt-get install build-essential).",
  });
  const metadata = ["metadata", "--format-version", "1", "--no-deps", "--locked"];
  const { target_directory: target } = JSON.parse(execFileSync("cargo", metadata, { cwd: root, encoding: "utf8" }));
  if (!target) fail("`cargo metadata` does not contain the target directory");
  return join(target, FOLDERS[profile] ?? profile, "sse-load");
}

/** Returns the path of a channel. It is the same on every server. */
export function channelPath(number) {
  return `/channels/bench-${number}`;
}

/**
 * Puts a load on a running server, and returns the generator's report. The run has a time limit, because the generator
 * would wait forever for a server that does not answer.
 */
export async function generate(program, server, load) {
  const path = channelPath("{channel}");
  const urls = ["--subscribe", `${server.origin}${path}`, "--publish", `${server.origin}${path}/broadcast`];
  const child = spawn(program, [...urls, "--pid", server.pid, ...argumentsOf(load)], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: Math.ceil(secondsOf(load) * 1_000) + PATIENCE_MS,
    killSignal: "SIGKILL",
  });
  const cancelKill = atExit(() => child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (data) => (output[name] += data));
  const [status, signal] = await once(child, "close");
  cancelKill();
  if (signal) throw new Error(`the load generator was ended by ${signal}: the load took too long, or a user ended it`);
  if (status !== 0) throw new Error(output.stderr.trim().replace(/\s*\n\s*/g, "; "));
  return JSON.parse(output.stdout);
}

/** Starts a server for a load, calls `work` with it, and stops it. Returns the result of `work`. */
export async function withServer({ start }, { subscribers, channels = 1, herd = 0, settings }, work) {
  const server = await start(Math.ceil(subscribers / channels) + herd, settings);
  try {
    return await work(server);
  } finally {
    await server.stop();
  }
}

/** Starts a server, puts a load on it, and stops it. Returns { report, versions }. */
export function measure(program, server, load) {
  return withServer(server, load, async (server) => {
    const report = await generate(program, server, load);
    await server.check?.();
    return { report, versions: server.versions };
  });
}
