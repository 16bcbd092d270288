// Makes the configuration with which wrangler runs and deploys the hub of this package.
//
// The user's configuration has the decisions of the user: the name, settings, routes, environments. This module adds the
// members that belong to the hub: its code, objects and files. So an update of the package needs no change of the
// user's file.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { fail, root } from "../messages.mjs";

/** The files that wrangler would find itself, in its order. */
const NAMES = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];
/** The members of the package's own configuration that the user may set. The other members belong to the hub. */
const OF_THE_USER = ["name", "vars", "dev", "observability"];
/** The members that wrangler does not copy from the top level into an environment. */
const NOT_INHERITED = ["durable_objects"];

/** @typedef {Record<string, any>} Config */

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Returns `base` with the members of `more`. Objects in both are joined, at all depths.
 * @param {Config} base
 * @param {Config} more
 * @returns {Config}
 */
function joinObjects(base, more) {
  const joined = { ...base };
  for (const [name, value] of Object.entries(more)) {
    joined[name] = isObject(value) && isObject(base[name]) ? joinObjects(base[name], value) : value;
  }
  return joined;
}

/**
 * Returns the path of the user's configuration: `given`, or else that in `folder`, if there is one.
 * @param {string | undefined} given
 * @param {string} folder
 */
function findUserConfig(given, folder) {
  if (given !== undefined) {
    const path = resolve(folder, given);
    return existsSync(path) ? path : fail(`--config is "${given}": there is no such file`);
  }
  return NAMES.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** Returns the members of a configuration that belong to the hub, with those of its environments. */
function membersOfTheHub(config, base) {
  const own = Object.keys(base).filter((name) => !OF_THE_USER.includes(name));
  const named = (config, prefix) => own.filter((name) => config[name] !== undefined).map((name) => prefix + name);
  const environments = Object.entries(config.env ?? {});
  return [...named(config, ""), ...environments.flatMap(([name, config]) => named(config, `env.${name}.`))];
}

/** Ends this process if the configuration in `path` describes another Worker, or changes what belongs to the hub. */
function refuseOtherWorker(config, base, path) {
  const members = membersOfTheHub(config, base);
  if (members.includes("main")) {
    const help = "use another folder, or name a file for the hub with --config";
    fail(`${path} describes a Worker of its own (main is "${config.main}"), which this command would replace; ${help}`);
  }
  if (members.length > 0) fail(`${path}: the hub itself sets ${members.join(", ")}; remove that from the file`);
}

/**
 * Joins the package's configuration and that of the user.
 * @param {Config} base the package's
 * @param {Config} user
 * @returns {Config}
 */
export function joinConfigs(base, user) {
  const { build, ...ours } = base;
  const own = {
    ...ours,
    main: join(root, base.main),
    assets: { ...base.assets, directory: join(root, base.assets.directory) },
  };
  const inEach = Object.fromEntries(NOT_INHERITED.map((name) => [name, base[name]]));
  const environments = Object.entries(user.env ?? {}).map(([name, config]) => {
    const { observability } = config;
    const replaced = observability && { observability: joinObjects(base.observability, observability) };
    return [name, { ...inEach, ...config, ...replaced }];
  });
  const joined = joinObjects(own, user);
  return user.env ? { ...joined, env: Object.fromEntries(environments) } : joined;
}

/**
 * Reads a configuration with wrangler's own parser, which is the only one that reads all of its formats.
 * @param {string} wrangler the path of wrangler's program
 * @param {string} path
 * @returns {Promise<Config>}
 */
export async function readConfig(wrangler, path) {
  const module = join(dirname(dirname(wrangler)), "wrangler-dist", "cli.js");
  // A path is not a URL: it may contain # or %.
  const { experimental_readRawConfig: read } = await import(pathToFileURL(module).href);
  try {
    return read({ config: path }).rawConfig;
  } catch (error) {
    return fail(`${path} cannot be read: ${error.message}`);
  }
}

/** Writes a file, and its folder, unless it has this content: wrangler dev restarts when its configuration is written. */
function writeIfChanged(path, text) {
  try {
    if (existsSync(path) && readFileSync(path, "utf8") === text) return;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  } catch (error) {
    fail(`${path} cannot be written (${error.message}); use a folder that this user can write to`);
  }
}

/**
 * Writes the configuration of a command to the folder in which wrangler keeps its own files. Returns its path, its
 * content, and as `home` the folder of the user's configuration, or the working directory if there is none.
 * @param {object} options
 * @param {string} options.wrangler the path of wrangler's program
 * @param {string} options.command the name of the command, which gets a file of its own
 * @param {string} options.folder the user's working directory
 * @param {string} [options.given] the user's configuration, if the command line names one
 */
export async function writeConfig({ wrangler, command, folder, given }) {
  const userPath = findUserConfig(given, folder);
  const base = await readConfig(wrangler, join(root, "wrangler.toml"));
  const user = userPath ? await readConfig(wrangler, userPath) : {};
  refuseOtherWorker(user, base, userPath);
  const config = joinConfigs(base, user);
  const home = userPath ? dirname(userPath) : folder;
  const path = join(home, ".wrangler", "sse-broadcaster", `${command}.json`);
  writeIfChanged(path, `${JSON.stringify(config, undefined, 2)}\n`);
  return { path, config, home };
}
