// Runs wrangler for the hub of this package.
import { fail } from "../messages.mjs";
import { start } from "../processes.mjs";
import { continueOnFittingNode } from "../tools/newer-node.mjs";
import { WRANGLER } from "../tools/tools.mjs";
import { runsWrangler } from "../tools/versions.mjs";

/**
 * Returns the path of wrangler's program, after this process runs on a Node that can run it.
 * @param {boolean} isServer whether the command runs until a signal ends it
 */
export async function prepareWrangler(isServer) {
  await continueOnFittingNode(runsWrangler, isServer);
  return WRANGLER.install();
}

/**
 * Runs wrangler, and sets the exit status of this process to that of wrangler.
 * @param {string} wrangler the path of wrangler's program
 * @param {string[]} args
 * @param {{ isServer?: boolean }} [options]
 */
export async function runWrangler(wrangler, args, { isServer = false } = {}) {
  const options = { cwd: process.cwd(), env: process.env, stdio: /** @type {const} */ ("inherit"), isServer };
  const { ended } = start(process.execPath, [wrangler, ...args], options);
  const status = await ended;
  if (typeof status !== "number") fail(`wrangler could not be started: ${status.message}`);
  process.exitCode = status;
}

/**
 * Splits arguments at the first `--`. The arguments after it are for wrangler.
 * @param {string[]} args
 * @returns {[own: string[], forWrangler: string[]]}
 */
export function splitArguments(args) {
  const end = args.indexOf("--");
  return end < 0 ? [args, []] : [args.slice(0, end), args.slice(end + 1)];
}

/**
 * Returns the options of wrangler that set these settings.
 * @param {Record<string, string>} variables
 */
export function variableOptions(variables) {
  return Object.entries(variables).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
}

/** The help of `readOptions` for an argument that is not an option. */
export const PASS_ON = "To pass an argument on to wrangler, write it after --.";
