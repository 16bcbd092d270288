// What a measurement was made on, and with.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { root } from "../scripts/install.mjs";
import { workerdBinary } from "../scripts/workerd.mjs";

/** What a command prints, or "unknown". */
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

/** `peers` are the versions that servers tell when they start. */
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

/** The commit, and whether what was measured differs from it. What the benchmark writes itself does not count. */
function commit() {
  const changes = output("git", "status", "--porcelain", "--", ".", ":!bench/results", ":!bench/README.md");
  const hash = output("git", "rev-parse", "--short", "HEAD");
  return changes === "" || hash === "unknown" ? hash : `${hash} with changes`;
}
