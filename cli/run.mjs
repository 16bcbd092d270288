// Runs a command, shows its output, and explains its failure.
import { basename } from "node:path";
import { messageOutput } from "./messages.mjs";
import { explainNetworkFailure } from "./network.mjs";
import { start } from "./processes.mjs";

/** How many of the last characters of a command's messages are searched for the reason of its failure. */
const REASON_CHARS = 65_536;

/**
 * How a command has ended. `unreachable` says which host it could not reach, if it failed because of that.
 * @typedef {{ succeeded: boolean, unreachable?: string }} Outcome
 */

/**
 * Runs a command in the folder `cwd` and shows its output.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<Outcome>}
 */
export async function attempt(command, args, { cwd, env = process.env }) {
  const { child, ended } = start(command, args, { cwd, env, stdio: ["inherit", messageOutput(), "pipe"] });
  let messages = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    process.stderr.write(text);
    messages = (messages + text).slice(-REASON_CHARS);
  });
  const status = await ended;
  if (status === 0) return { succeeded: true };
  return { succeeded: false, unreachable: explainNetworkFailure(messages, env) };
}

/**
 * Returns the message about a command that has failed.
 * @param {string} command
 * @param {string[]} args
 * @param {Outcome} outcome
 * @param {string} help
 */
export function explainFailure(command, args, { unreachable }, help = "") {
  if (unreachable) return `${basename(command)} ${unreachable}. Check the network and its settings, and start again.`;
  return `\`${command} ${args.join(" ")}\` failed. ${help}`.trim();
}
