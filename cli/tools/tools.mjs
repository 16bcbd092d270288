// Finds and installs the programs that the commands run: workerd, wrangler, and a Node that is new enough for them.
//
// They are no dependencies of the package, because they take hundreds of megabytes, and most installations of the
// package only use the client or mount the hub in a Worker. So a program is taken from the user's project if it is
// installed there, and is otherwise installed at its first use, in the user's cache folder, for all projects of the
// user. The package has a lock file for each program, so that exactly the tested versions are installed.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cacheFolder } from "../cache-folder.mjs";
import { fail, root, say } from "../messages.mjs";
import { attempt, explainFailure } from "../run.mjs";
import { isUsableWrangler, VERSIONS } from "./versions.mjs";

/**
 * Settings of npm that the user may have set for another purpose, and that would change an installation. npm passes its
 * settings to the commands that it runs.
 */
const OTHER_PURPOSE =
  /^npm_config_(cpu|dry_run|global|include|install_strategy|libc|location|omit|only|os|package_lock|prefix|production|workspaces?)$/i;

const require = createRequire(import.meta.url);

/** Returns the folders `node_modules` in which Node looks for the packages of a module in `folder`. */
function packageFolders(folder) {
  const parent = dirname(folder);
  return [join(folder, "node_modules"), ...(parent === folder ? [] : packageFolders(parent))];
}

/** A program in an npm package. */
class Tool {
  /**
   * @param {keyof typeof VERSIONS} name
   * @param {object} options
   * @param {(folder: string) => string} options.program returns the path of the program in the folder of its package
   * @param {(version: string) => boolean} [options.accepts] whether a version can be used. By default, only the tested
   *   one
   * @param {boolean} [options.hasScript] whether the package is complete only after its install script has run
   * @param {string[]} [options.within] the packages inside of which npm may install this one
   */
  constructor(name, { program, accepts, hasScript = false, within = [] }) {
    this.name = name;
    this.version = VERSIONS[name];
    this.program = program;
    this.accepts = accepts ?? ((version) => version === this.version);
    this.hasScript = hasScript;
    this.within = within;
  }

  get title() {
    return `${this.name} ${this.version}`;
  }

  /** The folder of the cache in which the program is installed. */
  get folder() {
    return join(cacheFolder(), `${this.name}-${this.version}`);
  }

  /** Returns the path of the program, or undefined if it is not installed. */
  find() {
    const projects = [...packageFolders(root), ...packageFolders(process.cwd())];
    const inside = projects.flatMap((folder) => this.within.map((name) => join(folder, name, "node_modules")));
    for (const folder of [...projects, ...inside, join(this.folder, "node_modules")]) {
      const program = this.#programIn(join(folder, this.name));
      if (program) return program;
    }
    return undefined;
  }

  #programIn(folder) {
    try {
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const program = this.accepts(version) ? this.program(folder) : undefined;
      return program && existsSync(program) ? program : undefined;
    } catch {
      // There is no such package, or it is incomplete.
      return undefined;
    }
  }

  /** Returns the path of the program. Installs it in the cache folder if it is missing. */
  async install() {
    const found = this.find();
    if (found) return found;
    say(`installing ${this.title} in ${this.folder}, once for this user ...`);
    const folder = this.#makeFolder();
    const error = await this.#runNpm(folder);
    if (error === undefined) this.#keep(folder);
    rmSync(folder, { recursive: true, force: true });
    if (error !== undefined) fail(error);
    return (
      this.find() ?? fail(`npm has installed no ${this.title} for this system (${process.platform} ${process.arch})`)
    );
  }

  /** Makes a folder beside that of the program, so that an installation that is interrupted leaves no half of it. */
  #makeFolder() {
    const locks = join(root, "build", "tools", this.name);
    try {
      mkdirSync(cacheFolder(), { recursive: true });
      const folder = mkdtempSync(`${this.folder}-`);
      cpSync(locks, folder, { recursive: true });
      return folder;
    } catch (error) {
      const other = `add ${this.name}@${this.version} to your project`;
      const help = `set XDG_CACHE_HOME to a folder that this user can write to, or ${other}`;
      return fail(`${this.title} cannot be installed (${error.message}); ${help}`);
    }
  }

  /** Returns an error, or undefined if npm has installed the program. */
  async #runNpm(folder) {
    const flags = [
      "--include=optional",
      `--ignore-scripts=${!this.hasScript}`,
      "--prefer-offline",
      "--no-fund",
      "--no-audit",
    ];
    const args = ["ci", ...flags, "--fetch-retry-mintimeout=1000", "--loglevel=error"];
    const kept = Object.entries(process.env).filter(([name]) => !OTHER_PURPOSE.test(name));
    const outcome = await attempt("npm", args, { cwd: folder, env: Object.fromEntries(kept) });
    return outcome.succeeded ? undefined : explainFailure("npm", args, outcome, "Check that npm is installed.");
  }

  #keep(folder) {
    try {
      renameSync(folder, this.folder);
    } catch (error) {
      if (!["ENOTEMPTY", "EEXIST"].includes(error.code)) throw error;
      // Another process has installed the program meanwhile, or an earlier installation has lost some of its files.
      if (this.find()) return;
      rmSync(this.folder, { recursive: true, force: true });
      renameSync(folder, this.folder);
    }
  }
}

/**
 * Cloudflare's runtime, as a native binary. Its storage format is not documented, so only the tested version is used.
 */
export const WORKERD = new Tool("workerd", { program: (folder) => require(folder).default, within: ["wrangler"] });

/** Cloudflare's command line tool. */
export const WRANGLER = new Tool("wrangler", {
  program: (folder) => join(folder, "bin", "wrangler.js"),
  accepts: isUsableWrangler,
});

/** A Node for commands that need a newer one than that of the user. */
export const NODE = new Tool("node", { program: (folder) => join(folder, "bin", "node"), hasScript: true });

/** Returns the path of workerd's native binary. */
export function workerdBinary() {
  const path = WORKERD.find();
  if (!path) throw new Error(`${WORKERD.title} is not installed`);
  return path;
}
