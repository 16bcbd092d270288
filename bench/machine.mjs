// Describes the machine and the versions of a measurement.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { workerdBinary } from "../scripts/workerd.mjs";

/** Returns the output of a command, or "unknown" if it fails. */
function output(command, ...args) {
  try {
    return execFileSync(command, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
}

export function machine() {
  return {
    CPU: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    "memory (GiB)": Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()} ${arch()}`,
  };
}

/** Returns all versions. `peers` are the versions that the servers report when they start. */
export function versions(peers) {
  const { version } = JSON.parse(readFileSync(join(root, "node_modules", "wrangler", "package.json"), "utf8"));
  return {
    commit: commit(),
    workerd: output(workerdBinary(), "--version").replace(/^workerd /, ""),
    wrangler: version,
    rustc: output("rustc", "--version").split(" ")[1] ?? "unknown",
    node: process.versions.node,
    ...peers,
  };
}

/**
 * Returns the commit, and whether the working tree has changes. The benchmark's own output does not count as a change.
 */
function commit() {
  const changes = output("git", "status", "--porcelain", "--", ".", ":!bench/results", ":!bench/README.md");
  const hash = output("git", "rev-parse", "--short", "HEAD");
  return changes === "" || hash === "unknown" ? hash : `${hash} with changes`;
}
