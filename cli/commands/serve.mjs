// `sse-broadcaster serve`: runs the hub on this machine.
import { join } from "node:path";
import { root } from "../messages.mjs";
import { checkPortOption, readOptions, readVariables } from "../options.mjs";
import { continueOnFittingNode } from "../tools/newer-node.mjs";
import { WORKERD } from "../tools/tools.mjs";
import { hasSqlite } from "../tools/versions.mjs";

const COMMAND = "npx sse-broadcaster serve";
const DEFAULT_STATE_DIR = "sse-broadcaster-state";

const HELP = `Runs the hub on this machine until Ctrl-C or SIGTERM, on workerd, Cloudflare's own runtime.

  export JWT_SECRET=$(openssl rand -base64 32)
  ${COMMAND}

Options, and the environment variables that they set:
  --port PORT         PORT: where the hub listens; default: 8080
  --host ADDRESS      HOST: the address on which it listens; default: 127.0.0.1; 0.0.0.0 or :: for all addresses
  --state-dir FOLDER  STATE_DIR: the folder of the storage; default: ${DEFAULT_STATE_DIR} in the working directory
  --var NAME:VALUE    the setting NAME, for example ACCESS:open; may be given several times

The hub needs JWT_SECRET or JWT_KEYS, which verify tokens, in the environment; or ACCESS:open, to try it without tokens.
It starts workerd, which is installed in your cache folder the first time, unless your project has it.
All settings: ${join(root, "docs", "settings.md")}`;

const OPTIONS = /** @type {const} */ ({
  port: { type: "string" },
  host: { type: "string" },
  "state-dir": { type: "string" },
  var: { type: "string", multiple: true },
  help: { type: "boolean", short: "h" },
});

/** Hides the warning of Node that SQLite is experimental, which has no meaning for the user of this command. */
function hideSqliteWarning() {
  const { emitWarning } = process;
  process.emitWarning = (warning, ...rest) => {
    const isAboutSqlite = rest[0] === "ExperimentalWarning" && String(warning).startsWith("SQLite ");
    if (!isAboutSqlite) Reflect.apply(emitWarning, process, [warning, ...rest]);
  };
}

/** @param {string[]} args */
export async function run(args) {
  const options = readOptions(args, OPTIONS, COMMAND);
  if (options.help) return console.log(HELP);
  checkPortOption(options.port, COMMAND);
  const secretHelp = "set it in the environment, because other users of this machine can read command lines";
  const variables = {
    PORT: options.port,
    HOST: options.host,
    STATE_DIR: options["state-dir"],
    ...readVariables(options.var, COMMAND, secretHelp),
  };
  for (const [name, value] of Object.entries(variables)) if (value !== undefined) process.env[name] = value;
  // This module reads the environment.
  const { checkAddress, checkPort } = await import("../serve/serve-environment.mjs");
  // This comes before anything is installed, because that takes time.
  await checkAddress(checkPort());
  await continueOnFittingNode(hasSqlite, true);
  hideSqliteWarning();
  // This module imports SQLite.
  const { serve } = await import("../serve/serve.mjs");
  await serve({ defaultStateDir: DEFAULT_STATE_DIR, prepare: async () => void (await WORKERD.install()) });
}
