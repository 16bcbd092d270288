// A Python with the packages of tests/requirements.txt. `npm test` installs them if a test file imports this module.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";

/** Returns the path of the Python of a virtual environment that has the packages. Makes the environment if needed. */
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
