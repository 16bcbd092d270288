// What the tests need beside Node: Python with packages, and a Chromium.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../../scripts/install.mjs";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Where the machine's Chromium is; CHROMIUM_PATH overrides. */
export function chromiumPath() {
  if (process.env.CHROMIUM_PATH) return process.env.CHROMIUM_PATH;
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      if (existsSync(join(folder, name))) return join(folder, name);
    }
  }
  throw new Error("no Chromium found: install one (Debian: apt-get install chromium) or set CHROMIUM_PATH to it");
}

/** The Python of a virtual environment that has the packages of tests/requirements.txt. */
export function pythonPath() {
  const folder = join(root, "tests", ".venv");
  const python = join(folder, "bin", "python");
  const wanted = readFileSync(join(root, "tests", "requirements.txt"), "utf8");
  const stamp = join(folder, "requirements.txt");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return python;
  const run = (command, ...args) => execFileSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  run("python3", "-m", "venv", "--clear", folder);
  run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", "tests/requirements.txt");
  writeFileSync(stamp, wanted);
  return python;
}
