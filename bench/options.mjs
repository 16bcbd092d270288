// The command line of `npm run bench`.
import { parseArgs } from "node:util";
import { ROWS } from "./loads.mjs";
import { SERVERS } from "./servers.mjs";

const RUNS = 5;

const FLAGS = {
  rows: { type: "string", help: `only these rows, of ${idsOf(ROWS)}` },
  servers: { type: "string", help: `only these servers, of ${idsOf(SERVERS)}` },
  runs: { type: "string", help: `how often a row is done in turn; ${RUNS}` },
  quick: { type: "boolean", help: "all of it, shorter and once, in less than two minutes" },
  sweep: { type: "boolean", help: "only how cost grows, or with --rows that as well" },
  soak: { type: "boolean", help: "only ten minutes of one load" },
  history: { type: "boolean", help: "only what history costs: rows written, CPU, the time to replay it" },
  scale: { type: "string", help: "makes every load so many times as long; for trying the program itself" },
  "no-results": { type: "boolean", help: "writes no files" },
  help: { type: "boolean", help: "this" },
};

/** What a quick run leaves out. */
const QUICK_SERVERS = ["ours", "js-object", "nchan"];

function idsOf(list) {
  return list.map(({ id }) => id).join(", ");
}

/** What there is, for somebody who has asked or mistyped. */
export function usage() {
  const takesValue = { rows: " A,B", servers: " ours,nchan", runs: " N", scale: " X" };
  const name = (flag) => `--${flag}${takesValue[flag] ?? ""}`;
  const lines = Object.entries(FLAGS).map(([flag, { help }]) => `  ${name(flag).padEnd(22)} ${help}`);
  return ["npm run bench -- [options]", ...lines].join("\n");
}

/** Reads the arguments. Throws with a message for the user where they cannot be understood. */
export function readOptions(args) {
  const given = parse(args);
  const quick = given.quick ?? false;
  const rows = given.rows === undefined ? undefined : chosen("rows", given.rows, ROWS);
  const servers = given.servers === undefined ? undefined : chosen("servers", given.servers, SERVERS);
  const scale = given.scale === undefined ? 1 : positive("scale", given.scale);
  const runs = given.runs === undefined ? (quick ? 1 : RUNS) : positive("runs", given.runs, Number.isInteger);
  // A part that is named means: nothing but that.
  const all = rows === undefined && !given.sweep && !given.soak && !given.history;
  return {
    help: given.help ?? false,
    quick,
    rows: rows ?? (all ? ROWS.map(({ id }) => id) : []),
    servers: servers ?? (quick ? QUICK_SERVERS : SERVERS.map(({ id }) => id)),
    runs,
    sweep: given.sweep ?? all,
    soak: given.soak ?? false,
    history: given.history ?? false,
    scale,
    write: !given["no-results"],
    // Whether what is measured may stand for the project, or is only a look.
    full: !quick && servers === undefined && scale === 1 && runs >= RUNS,
  };
}

function parse(args) {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    if (!error.code?.startsWith("ERR_PARSE_ARGS")) throw error;
    throw new Error(`${error.message.split(". ")[0].replace(/\.$/, "")}. There is:\n${usage()}`);
  }
}

function chosen(name, value, list) {
  const ids = value
    .split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  const find = (id) => list.find((one) => one.id.toLowerCase() === id.toLowerCase());
  const unknown = ids.find((id) => !find(id));
  if (unknown !== undefined) throw new Error(`--${name} has "${unknown}" in it: there are ${idsOf(list)}`);
  if (ids.length === 0) throw new Error(`--${name} names none: there are ${idsOf(list)}`);
  const wanted = new Set(ids.map((id) => find(id).id));
  return list.map(({ id }) => id).filter((id) => wanted.has(id));
}

function positive(name, value, isRight = Number.isFinite) {
  const number = Number(value);
  if (value.trim() !== "" && number > 0 && isRight(number)) return number;
  const what = isRight === Number.isInteger ? "a whole number of at least 1" : "a number above 0";
  throw new Error(`--${name} is "${value}": it has to be ${what}`);
}
