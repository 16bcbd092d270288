#!/usr/bin/env node
// The command `sse-broadcaster` of the package. It finds the command that the first argument names, and runs it.
import { VERSION, VERSIONS } from "./tools/versions.mjs";

/** The commands, in the order of the help. */
const COMMANDS = {
  serve: () => import("./commands/serve.mjs"),
  dev: () => import("./commands/dev.mjs"),
  deploy: () => import("./commands/deploy.mjs"),
  wrangler: () => import("./commands/wrangler.mjs"),
  token: () => import("./commands/token.mjs"),
};

const HELP = `A Server-Sent Events hub: on this machine, or as a Cloudflare Worker.

  npx sse-broadcaster serve     runs the hub on this machine, as one process
  npx sse-broadcaster dev       runs it as on Cloudflare, with wrangler dev
  npx sse-broadcaster deploy    deploys it to your Cloudflare account
  npx sse-broadcaster wrangler  runs another command of wrangler for it, for example login or secret put
  npx sse-broadcaster token     prints a token for publishers and subscribers

Each command has --help. --version prints the versions.`;

const [name = "", ...args] = process.argv.slice(2);
/** Every other command starts processes through a POSIX shell. */
const WORKS_ON_WINDOWS = ["token"];

if (["--help", "-h"].includes(name)) {
  console.log(HELP);
} else if (["--version", "-v"].includes(name)) {
  console.log(`sse-broadcaster ${VERSION} (workerd ${VERSIONS.workerd}, wrangler ${VERSIONS.wrangler})`);
} else if (process.platform === "win32" && !WORKS_ON_WINDOWS.includes(name)) {
  console.error("sse-broadcaster: Windows needs WSL for this command: https://learn.microsoft.com/windows/wsl");
  process.exitCode = 1;
} else if (Object.hasOwn(COMMANDS, name)) {
  const { run } = await COMMANDS[name]();
  await run(args);
} else {
  const problem = name === "" ? "No command is given" : `"${name}" is no command`;
  const commands = Object.keys(COMMANDS)
    .join(", ")
    .replace(/, (\w+)$/, " and $1");
  console.error(`sse-broadcaster: ${problem}. The commands are ${commands}. Help: npx sse-broadcaster --help`);
  process.exitCode = 2;
}
