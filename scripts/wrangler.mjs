// `npm start`, `npm run deploy` and `npm run wrangler`: installs and builds what is missing, then runs the pinned wrangler on a Node that
// is new enough for it. Arguments are wrangler's.
import { spawn } from "node:child_process";
import { build } from "./build.mjs";
import { fail, installPackages, node, root, wrangler } from "./install.mjs";

installPackages();
await build();
const child = spawn(node, [wrangler, ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
child.on("error", (error) => fail(`wrangler could not be started: ${error.message}`));
// A terminal's Ctrl-C reaches wrangler, too, which then ends; this process only has to wait for it. Other ways to end
// this process reach nobody else, and are passed on.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (status, signal) => process.exit(status ?? (signal ? 1 : 0)));
