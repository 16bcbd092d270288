// `npm start`, `npm run deploy` and `npm run wrangler`: installs the packages and builds the Worker if necessary, and
// then runs the pinned wrangler on the packaged Node, which is new enough for it. The arguments go to wrangler.
//
// The npm scripts use `exec`, because a shell between npm and this process would not pass on npm's signals.

import { start } from "../cli/processes.mjs";
import { checkAddress, checkPort } from "../cli/serve/serve-environment.mjs";
import { build } from "./build.mjs";
import { fail, installPackages, node, root, wrangler } from "./install.mjs";

/** The address of [dev] in wrangler.toml. */
const DEV_HOST = "127.0.0.1";
const ADDRESS_OPTION = /^--(port|ip)\b/;

const args = process.argv.slice(2);
const isDev = args[0] === "dev";

/** Returns the option of `wrangler dev` that PORT stands for. Options of the command line have precedence. */
async function portOption() {
  if (!isDev || args.some((arg) => ADDRESS_OPTION.test(arg))) return [];
  const port = checkPort();
  // This comes before anything is built, because that takes minutes the first time.
  await checkAddress(port, DEV_HOST);
  return ["--port", String(port)];
}

const option = await portOption();
await Promise.all([installPackages(), build()]);
const { ended } = start(node, [wrangler, ...args, ...option], {
  cwd: root,
  env: process.env,
  stdio: "inherit",
  isServer: isDev,
});
const status = await ended;
if (typeof status !== "number") fail(`wrangler could not be started: ${status.message}`);
process.exitCode = status;
