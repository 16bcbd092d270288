// `sse-broadcaster deploy`: deploys the hub to the user's Cloudflare account.
import { join } from "node:path";
import { root } from "../messages.mjs";
import { readOptions, readVariables } from "../options.mjs";
import { warnOfTypos } from "../serve/setting-typos.mjs";
import { writeConfig } from "../wrangler/config.mjs";
import { PASS_ON, prepareWrangler, runWrangler, splitArguments, variableOptions } from "../wrangler/run.mjs";

const COMMAND = "npx sse-broadcaster deploy";

const HELP = `Deploys the hub to your Cloudflare account.

  npx sse-broadcaster wrangler login
  echo $JWT_SECRET | npx sse-broadcaster wrangler secret put JWT_SECRET
  ${COMMAND}

Options:
  --name NAME        the name of the Worker; default: sse-broadcaster
  --var NAME:VALUE   the setting NAME, for example ACCESS:publish-token; may be given several times
  --config FILE      your configuration; default: wrangler.json, wrangler.jsonc or wrangler.toml in this folder
  --env NAME         the environment of your configuration
  --dry-run          only checks
  -- OPTIONS         further options of wrangler deploy

Your configuration is optional. It may set the name, [vars], routes, environments and everything else that wrangler
knows, except what belongs to the hub: main, assets, durable_objects, migrations, build and the compatibility settings.
It deploys with wrangler, which is installed in your cache folder the first time, unless your project has it.
All settings: ${join(root, "docs", "settings.md")}`;

const OPTIONS = /** @type {const} */ ({
  name: { type: "string" },
  var: { type: "string", multiple: true },
  config: { type: "string", short: "c" },
  env: { type: "string", short: "e" },
  "dry-run": { type: "boolean" },
  help: { type: "boolean", short: "h" },
});

/** @param {string[]} args */
export async function run(args) {
  const [own, more] = splitArguments(args);
  const options = readOptions(own, OPTIONS, COMMAND, PASS_ON);
  if (options.help) return console.log(HELP);
  const secretHelp = "npx sse-broadcaster wrangler secret put JWT_SECRET";
  const variables = readVariables(options.var, COMMAND, secretHelp);
  const wrangler = await prepareWrangler(false);
  const { path, config } = await writeConfig({
    wrangler,
    command: "deploy",
    folder: process.cwd(),
    given: options.config,
  });
  warnOfTypos(options.env === undefined ? config.vars : config.env?.[options.env]?.vars);
  const named = Object.entries({ name: options.name, env: options.env }).filter(([, value]) => value !== undefined);
  await runWrangler(wrangler, [
    ...["deploy", "--config", path],
    ...named.flatMap(([name, value]) => [`--${name}`, String(value)]),
    ...variableOptions(variables),
    ...(options["dry-run"] ? ["--dry-run"] : []),
    ...more,
  ]);
}
