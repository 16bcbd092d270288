// `sse-broadcaster dev`: runs the hub as on Cloudflare, with `wrangler dev`.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as util from "node:util";
import { root, say } from "../messages.mjs";
import { checkPortOption, readOptions, readVariables } from "../options.mjs";
import { writeConfig } from "../wrangler/config.mjs";
import { PASS_ON, prepareWrangler, runWrangler, splitArguments, variableOptions } from "../wrangler/run.mjs";

const COMMAND = "npx sse-broadcaster dev";
const LOCAL = ["127.0.0.1", "::1", "localhost"];
/** The settings without which the hub answers no request. */
const ACCESS_SETTINGS = ["ACCESS", "JWT_SECRET", "JWT_KEYS"];
/** The options of wrangler that let other machines reach the hub, or that may say who may use it. */
const EXPOSING = /^(--(ip|remote|tunnel|tunnel-name|tunnelName|var|env|env-file|envFile)|-[re])(=|$)/;

const HELP = `Runs the hub on this machine as on Cloudflare, with wrangler dev, until Ctrl-C or SIGTERM.

  ${COMMAND}

Options:
  --port PORT        where it listens; default: the environment variable PORT, or 8080
  --host ADDRESS     the address on which it listens; default: 127.0.0.1
  --var NAME:VALUE   the setting NAME, for example LOG_LEVEL:info; may be given several times
  --config FILE      your configuration; default: wrangler.json, wrangler.jsonc or wrangler.toml in this folder
  --env NAME         the environment of your configuration
  -- OPTIONS         further options of wrangler dev

Settings for your machine only, and secrets, belong to the file .dev.vars beside your configuration. If none of ACCESS,
JWT_SECRET and JWT_KEYS is set, the hub needs no token, as long as it listens on this machine only.
It runs wrangler, which is installed in your cache folder the first time, unless your project has it.
All settings: ${join(root, "docs", "settings.md")}`;

const OPTIONS = /** @type {const} */ ({
  port: { type: "string" },
  host: { type: "string" },
  var: { type: "string", multiple: true },
  config: { type: "string", short: "c" },
  env: { type: "string", short: "e" },
  help: { type: "boolean", short: "h" },
});

/** Returns the path of the file of settings that wrangler would use, if there is one. */
function findDevVars(folder, environment) {
  const names = environment === undefined ? [".dev.vars"] : [`.dev.vars.${environment}`, ".dev.vars"];
  return names.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/**
 * Returns the settings that open the hub, so that it can be tried without a token. Returns none if `known`, the settings
 * that are set, say who may use the hub, or if other machines could reach it.
 * @param {Record<string, unknown>} known
 * @param {string} host the address on which the hub listens
 * @param {string[]} forWrangler the options that the user passes on to wrangler
 * @returns {Record<string, string>}
 */
export function openIfUndecided(known, host, forWrangler) {
  const isDecided = ACCESS_SETTINGS.some((name) => known[name] !== undefined);
  const isReachable = !LOCAL.includes(host) || forWrangler.some((option) => EXPOSING.test(option));
  if (isDecided || isReachable) return {};
  say("ACCESS, JWT_SECRET and JWT_KEYS are not set, so the hub needs no token (ACCESS=open)");
  return { ACCESS: "open", ...(known.LOG_LEVEL === undefined && { LOG_LEVEL: "debug" }) };
}

/** @param {string[]} args */
export async function run(args) {
  const [own, more] = splitArguments(args);
  const options = readOptions(own, OPTIONS, COMMAND, PASS_ON);
  if (options.help) return console.log(HELP);
  const { host = "127.0.0.1", env: environment } = options;
  checkPortOption(options.port, COMMAND);
  if (options.port !== undefined) process.env.PORT = options.port;
  const variables = readVariables(options.var, COMMAND, "write it to the file .dev.vars");
  // This module reads the environment.
  const { checkAddress, checkPort } = await import("../serve/serve-environment.mjs");
  const port = checkPort();
  // This comes before anything is installed, because that takes time.
  await checkAddress(port, host);
  const wrangler = await prepareWrangler(true);
  const { path, config, home } = await writeConfig({
    wrangler,
    command: "dev",
    folder: process.cwd(),
    given: options.config,
  });
  const devVars = findDevVars(home, environment);
  const configured = environment === undefined ? config.vars : config.env?.[environment]?.vars;
  const inFile = devVars ? util.parseEnv(readFileSync(devVars, "utf8")) : {};
  const known = { ...configured, ...inFile, ...variables };

  await runWrangler(
    wrangler,
    [
      ...["dev", "--config", path, "--port", String(port), "--ip", host],
      // wrangler would look for these beside the configuration that was just written.
      ...["--persist-to", join(home, ".wrangler", "state")],
      ...(devVars ? ["--env-file", devVars] : []),
      ...(environment === undefined ? [] : ["--env", environment]),
      ...variableOptions({ ...openIfUndecided(known, host, more), ...variables }),
      ...more,
    ],
    { isServer: true },
  );
}
