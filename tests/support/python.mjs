// A Python with the packages of tests/requirements.txt. `npm test` installs them if a test file imports this module.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../scripts/install.mjs";

const folder = join(root, "tests", ".venv");
/** The package sseclient-py, which cannot be beside sseclient, because their modules have the same name. */
const SSECLIENT_PY = join(folder, "sseclient-py");
const REQUIREMENTS = ["tests/requirements.txt", "tests/requirements-sseclient-py.txt"];

/** Returns the path of the Python of a virtual environment that has the packages. Makes the environment if needed. */
export function pythonPath() {
  const python = join(folder, "bin", "python");
  const wanted = REQUIREMENTS.map((path) => readFileSync(join(root, path), "utf8")).join("");
  const stamp = join(folder, "requirements.txt");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return python;
  const run = (command, ...args) => execFileSync(command, args, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  const install = (...args) => run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...args);
  const [common, separate] = REQUIREMENTS;
  run("python3", "-m", "venv", "--clear", folder);
  install("-r", common);
  install("-r", separate, "--target", SSECLIENT_PY);
  writeFileSync(stamp, wanted);
  return python;
}

/** Returns the environment of a Python process that uses this package. */
export function pythonEnvironment(name) {
  return name === "sseclient-py" ? { ...process.env, PYTHONPATH: SSECLIENT_PY } : process.env;
}
