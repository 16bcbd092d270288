// `npm run serve`: builds the Worker if necessary, and runs it on bare workerd until SIGINT or SIGTERM.
//
// The npm script installs the packages first, and then runs this file on the packaged Node, because it needs SQLite.
// The npm script uses `exec`, because a shell between npm and this process would not pass on npm's signals.
import { serve } from "../cli/serve/serve.mjs";
import { build } from "./build.mjs";

await serve({ defaultStateDir: "state", prepare: () => build() });
