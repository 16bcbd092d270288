// Reads the options of a command, and refuses unknown ones.
import { parseArgs } from "node:util";
import { refuse } from "./messages.mjs";
import { isPort, PORT_RULE } from "./port.mjs";
import { meant } from "./serve/setting-typos.mjs";
import { SETTINGS } from "./serve/settings.mjs";

/** Settings that must not be options, because other users of a machine can read the command lines of processes. */
const SECRETS = ["JWT_SECRET"];

/**
 * The values of options, by the description of the options.
 * @template T
 * @typedef {{
 *   [K in keyof T]?: T[K] extends { type: "boolean" } ? boolean : T[K] extends { multiple: true } ? string[] : string
 * }} Values
 */

/**
 * Returns the values of the options in `args`. Refuses options that `options` does not describe, and other arguments.
 * @template {import("node:util").ParseArgsOptionsConfig} T
 * @param {string[]} args
 * @param {T} options
 * @param {string} command the command in messages
 * @param {string} help the remedy for an argument that is not an option
 * @returns {Values<T>}
 */
export function readOptions(args, options, command, help = "") {
  try {
    return /** @type {Values<T>} */ (parseArgs({ args, options }).values);
  } catch ({ code, message }) {
    const [problem] = message.split(/\. |\n/);
    return refuse(`${problem}. ${code === "ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL" ? help : ""}`.trim(), command);
  }
}

/**
 * Refuses a port that does not exist.
 * @param {string | undefined} port
 * @param {string} command the command in messages
 */
export function checkPortOption(port, command) {
  if (port !== undefined && !isPort(port)) refuse(`--port is "${port}": ${PORT_RULE}.`, command);
}

/**
 * Returns the settings that were given as `--var NAME:VALUE`.
 * @param {string[]} given
 * @param {string} command the command in messages
 * @param {string} secretHelp how to set a secret instead
 * @returns {Record<string, string>}
 */
export function readVariables(given = [], command, secretHelp) {
  return Object.fromEntries(
    given.map((text) => {
      const colon = text.indexOf(":");
      const name = colon < 0 ? text : text.slice(0, colon);
      if (colon < 0) refuse(`--var is "${name}": it has to be NAME:VALUE, as in ACCESS:open.`, command);
      if (SECRETS.includes(name)) refuse(`--var must not contain ${name}, which is a secret: ${secretHelp}.`, command);
      if (!SETTINGS.includes(name)) {
        const setting = meant(name);
        const help = setting ? ` Is ${setting} meant?` : "";
        refuse(`--var is "${name}:…", but there is no setting of this name.${help}`, command);
      }
      return [name, text.slice(colon + 1)];
    }),
  );
}
