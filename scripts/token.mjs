// `npm run token`: prints a token, as `sse-broadcaster token` does.
import { printTokenOrKeys } from "../cli/token/token.mjs";

// npm runs a script in the project's folder. INIT_CWD is the folder of the user.
const folder = process.env.npm_lifecycle_event === "token" ? process.env.INIT_CWD : undefined;
await printTokenOrKeys(process.argv.slice(2), { command: "npm run token --", folder: folder ?? process.cwd() });
