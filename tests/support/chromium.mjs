// Finds the machine's Chromium. `npm test` looks for it if a test file imports this module.
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Returns the path of the machine's Chromium. The variable CHROMIUM_PATH has precedence. */
export function chromiumPath() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error("no Chromium found: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH to it");
}
