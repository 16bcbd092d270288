// Describes the machine and the versions of a measurement.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import { workerdBinary } from "../cli/tools/tools.mjs";
import { root } from "../scripts/install.mjs";

/** Returns the output of a command, or "unknown" if it fails. */
function output(folder, command, ...args) {
  try {
    return execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
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
    workerd: output(root, workerdBinary(), "--version").replace(/^workerd /, ""),
    wrangler: version,
    rustc: output(root, "rustc", "--version").split(" ")[1] ?? "unknown",
    node: process.versions.node,
    ...peers,
  };
}

/** What the benchmark itself writes. This does not count as a change of the working tree. */
const OUTPUT = ["bench/results", "bench/README.md", "README.md", "docs"];

/** Returns the hash of the current commit. */
export function commit(folder = root) {
  return output(folder, "git", "rev-parse", "--short", "HEAD");
}

/**
 * Returns why the code in `folder` is not that of the commit `measured`, or undefined if it is. Published results state
 * a commit, and anybody has to be able to measure the same code again.
 */
export function changesSinceCommit(folder = root, measured = commit(folder)) {
  const current = commit(folder);
  if (current === "unknown") return "the folder is no clone of the repository, so the results can name no commit";
  if (current !== measured) return `the commit was ${measured}, and is ${current} now`;
  const excluded = OUTPUT.map((path) => `:!${path}`);
  const changes = output(folder, "git", "status", "--porcelain", "--", ".", ...excluded);
  if (changes === "") return undefined;
  const paths = changes.split("\n").map((line) => line.trim().split(/\s+/).at(-1));
  return `these files differ from the commit: ${paths.join(", ")}`;
}
