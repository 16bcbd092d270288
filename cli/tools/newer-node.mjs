// Runs a command on a Node that is new enough for it.
import { fileURLToPath } from "node:url";
import { fail } from "../messages.mjs";
import { start } from "../processes.mjs";
import { NODE } from "./tools.mjs";

const MAIN = fileURLToPath(new URL("../main.mjs", import.meta.url));

/**
 * Returns if this process runs on a Node of which `fits` is true. Otherwise runs the same command line on the Node of
 * the npm package `node`, and ends this process with its exit status.
 * @param {(version: string) => boolean} fits
 * @param {boolean} isServer whether the command runs until a signal ends it
 */
export async function continueOnFittingNode(fits, isServer) {
  if (fits(process.versions.node)) return;
  const node = await NODE.install();
  const args = [MAIN, ...process.argv.slice(2)];
  const { ended } = start(node, args, { cwd: process.cwd(), env: process.env, stdio: "inherit", isServer });
  const status = await ended;
  if (typeof status !== "number") fail(`${node} could not be started: ${status.message}`);
  process.exit(status);
}
