// Where scripts/test.mjs puts the tarball of the package for the tests.
import { join } from "node:path";
import { root } from "../../cli/messages.mjs";

export const packageFolder = join(root, "target", "package");
