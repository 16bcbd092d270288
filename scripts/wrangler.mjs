// `npm start`, `npm run deploy` and `npm run wrangler`: installs the packages and builds the Worker if necessary, and
// then runs the pinned wrangler on the packaged Node, which is new enough for it. The arguments go to wrangler.
import { spawn } from "node:child_process";
import { build } from "./build.mjs";
import { fail, installPackages, node, root, wrangler } from "./install.mjs";

installPackages();
await build();
const child = spawn(node, [wrangler, ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
child.on("error", (error) => fail(`wrangler could not be started: ${error.message}`));
// Ctrl-C in a terminal also reaches wrangler, which then ends by itself; this process only waits for that. SIGTERM
// reaches only this process, which passes it on.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (status, signal) => process.exit(status ?? (signal ? 1 : 0)));
