// `sse-broadcaster wrangler`: runs any command of wrangler with the configuration of the hub, for example `login`,
// `secret put` and `tail`.
import { writeConfig } from "../wrangler/config.mjs";
import { prepareWrangler, runWrangler, splitArguments } from "../wrangler/run.mjs";

const HELP = `Runs a command of wrangler, Cloudflare's command line tool, with the configuration that deploy uses.

  npx sse-broadcaster wrangler login
  echo $JWT_SECRET | npx sse-broadcaster wrangler secret put JWT_SECRET
  npx sse-broadcaster wrangler tail

All arguments go to wrangler. --config FILE names your configuration, as for deploy. If you have deployed with --name or
--env, give the same option here. Help of wrangler: npx sse-broadcaster wrangler help`;

/** Takes the option --config out of arguments. Returns its value, and the other arguments. */
function takeConfig(args) {
  const index = args.findIndex((arg) => /^(--config|-c)(=|$)/.test(arg));
  if (index < 0) return { given: undefined, rest: args };
  const [, inside] = args[index].match(/=(.*)$/s) ?? [];
  const count = inside === undefined ? 2 : 1;
  const given = inside ?? args[index + 1] ?? "";
  return { given, rest: [...args.slice(0, index), ...args.slice(index + count)] };
}

/** @param {string[]} args */
export async function run(args) {
  const [own, more] = splitArguments(args);
  if (["--help", "-h"].includes(own[0]) || own.length === 0) return console.log(HELP);
  const { given, rest } = takeConfig(own);
  const wrangler = await prepareWrangler(false);
  const { path } = await writeConfig({ wrangler, command: "wrangler", folder: process.cwd(), given });
  const separated = more.length > 0 ? ["--", ...more] : [];
  await runWrangler(wrangler, [...rest, "--config", path, ...separated]);
}
