// `npm pack` runs this script first: it builds everything that the package contains and that is not in the repository.
//
// package.json has no `dependencies`, because worker-build 0.8.7 fails if it has ("invalid type: map, expected a
// string"). So the modules of the client have to contain the library that they use.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";
import { keepStdout, root } from "./install.mjs";
import { writeToolLocks } from "./tool-locks.mjs";

// `npm pack --json` prints its result to stdout.
keepStdout();
await build();
writeToolLocks();
// worker-build writes a .gitignore to build/ that covers everything, and npm would obey it. In a folder that has this
// file, npm ignores the .gitignore. package.json lists what the package contains.
writeFileSync(join(root, "build", ".npmignore"), "# See scripts/prepack.mjs.\n");
