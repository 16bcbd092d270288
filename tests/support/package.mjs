// The package as its users have it: installed from the tarball that scripts/test.mjs has made of this clone, with the
// Node and the npm of the machine, and without Rust.
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "../../scripts/install.mjs";
import { temporaryFolder } from "./folder.mjs";
import { packageFolder } from "./package-folder.mjs";
import { freePort } from "./port.mjs";
import { Started } from "./start.mjs";
import { eventually } from "./wait.mjs";

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
/** The path of the tarball. */
export const TARBALL = join(packageFolder, `sse-broadcaster-${version}.tgz`);

const RUST = ["cargo", "rustc", "rustup", "worker-build", "wasm-bindgen"];

/** Returns a folder with all programs of `folder` except those of Rust. */
function withoutRust(folder) {
  if (!RUST.some((name) => existsSync(join(folder, name)))) return folder;
  const copy = temporaryFolder();
  for (const name of readdirSync(folder)) {
    if (!RUST.includes(name)) symlinkSync(join(folder, name), join(copy, name));
  }
  return copy;
}

/** The PATH of this machine without Rust, and without the programs that the packages of this clone have. */
const PATH = (process.env.PATH ?? "")
  .split(delimiter)
  .filter((folder) => existsSync(folder) && !folder.includes("node_modules"))
  .map(withoutRust)
  .join(delimiter);

/** The environment of a user. The programs that the package installs go to a cache folder of its own. */
export function userEnvironment(cache = temporaryFolder()) {
  return { PATH, XDG_CACHE_HOME: cache, npm_config_prefer_offline: "true", WRANGLER_SEND_METRICS: "false" };
}

/**
 * Runs a command to its end. Returns its exit status and its output.
 * @param {string[]} command
 * @param {{ cwd: string, env?: Record<string, string | undefined> }} options
 * @returns {Promise<{ status: number, stdout: string, stderr: string }>}
 */
export function execute([command, ...args], { cwd, env = {} }) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|PORT$|JWT_)/i.test(name));
  const all = /** @type {NodeJS.ProcessEnv} */ ({
    ...Object.fromEntries(inherited),
    ...userEnvironment(env.XDG_CACHE_HOME),
    ...env,
  });
  return new Promise((resolve) => {
    execFile(command, args, { cwd, env: all, timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ status: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

/** A folder of a user with the installed package. */
export class Project {
  folder = temporaryFolder();
  cache = temporaryFolder();

  /** Installs the package, and other packages beside it. */
  async install(...others) {
    const { status, stderr } = await this.run("npm", "install", "--no-audit", "--no-fund", TARBALL, ...others);
    if (status !== 0) throw new Error(stderr);
    return this;
  }

  get package() {
    return join(this.folder, "node_modules", "sse-broadcaster");
  }

  get env() {
    return userEnvironment(this.cache);
  }

  /** Runs a command in the folder to its end. */
  run(...command) {
    return execute(command, { cwd: this.folder, env: this.env });
  }

  /**
   * Runs the command to its end, as npx does, with these variables.
   * @param {string[]} args
   * @param {Record<string, string>} variables
   * @param {string} cwd
   */
  command(args, variables = {}, cwd = this.folder) {
    const program = join(this.folder, "node_modules", ".bin", "sse-broadcaster");
    return execute([program, ...args], { cwd, env: { ...this.env, ...variables } });
  }

  /** Starts `npx sse-broadcaster`, on a free port, and waits until the hub answers. */
  async serve(args, variables = {}) {
    const port = await freePort();
    const command = ["npx", "sse-broadcaster", ...args, "--port", String(port)];
    const started = new Started(command, { ...this.env, ...variables }, this.folder);
    const origin = `http://127.0.0.1:${port}`;
    const answers = () =>
      fetch(`${origin}/healthz`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually(async () => started.child.exitCode !== null || (await answers()), 120_000, "the hub answers");
    if (started.child.exitCode !== null) throw new Error(`it has ended: ${started.output}`);
    return { started, origin };
  }
}

/** Makes a folder with the installed package. */
export function installPackage(...others) {
  mkdirSync(packageFolder, { recursive: true });
  return new Project().install(...others);
}
