// Reads the command line of `npm run bench`.
import { parseArgs } from "node:util";
import { ALL_ROWS as FEED_ROWS } from "./feeds/rows.mjs";
import { ROWS } from "./loads.mjs";
import { SERVERS } from "./servers.mjs";

const RUNS = 5;

const FLAGS = /** @type {const} */ ({
  rows: { type: "string", help: `measures only these of the rows ${idsOf(ROWS)}` },
  servers: { type: "string", help: `measures only these of the servers ${idsOf(SERVERS)}` },
  runs: { type: "string", help: `how often each row is measured; default: ${RUNS}, or 3 where figures change little` },
  quick: { type: "boolean", help: "measures everything shorter and once, in less than two minutes" },
  sweep: { type: "boolean", help: "measures only how cost grows; with --rows, in addition to the rows" },
  soak: { type: "boolean", help: "measures only ten minutes of one load" },
  history: { type: "boolean", help: "measures only the cost of history: rows written, CPU, time of a replay" },
  feeds: { type: "boolean", help: "measures only streams that the Worker holds, beside streams that the object holds" },
  "feed-rows": { type: "string", help: `measures only these of the rows of --feeds: ${idsOf(FEED_ROWS)}` },
  scale: { type: "string", help: "makes every load X times as long, for testing the benchmark itself" },
  "no-results": { type: "boolean", help: "writes no files" },
  help: { type: "boolean", help: "prints this help" },
});

/** The servers of a quick run. */
const QUICK_SERVERS = ["ours", "js-object", "nchan"];

function idsOf(list) {
  return list.map(({ id }) => id).join(", ");
}

/** Returns the help text. */
export function usage() {
  const takesValue = { rows: " A,B", servers: " ours,nchan", "feed-rows": " C,idle", runs: " N", scale: " X" };
  const name = (flag) => `--${flag}${takesValue[flag] ?? ""}`;
  const lines = Object.entries(FLAGS).map(([flag, { help }]) => `  ${name(flag).padEnd(22)} ${help}`);
  return ["npm run bench -- [options]", ...lines].join("\n");
}

/** Reads the arguments. Throws an error with a message for the user if they are invalid. */
export function readOptions(args) {
  const given = parse(args);
  const quick = given.quick ?? false;
  const rows = given.rows === undefined ? undefined : chooseFrom("rows", given.rows, ROWS);
  const feedRows =
    given["feed-rows"] === undefined ? undefined : chooseFrom("feed-rows", given["feed-rows"], FEED_ROWS);
  const feeds = feedRows ?? (given.feeds ? FEED_ROWS.map(({ id }) => id) : []);
  const servers = given.servers === undefined ? undefined : chooseFrom("servers", given.servers, SERVERS);
  const scale = given.scale === undefined ? 1 : positive("scale", given.scale);
  const runs = given.runs === undefined ? (quick ? 1 : RUNS) : positive("runs", given.runs, Number.isInteger);
  // An option that names a part excludes all other parts.
  const all = rows === undefined && !given.sweep && !given.soak && !given.history && feeds.length === 0;
  return {
    help: given.help ?? false,
    quick,
    rows: rows ?? (all ? ROWS.map(({ id }) => id) : []),
    servers: servers ?? (quick ? QUICK_SERVERS : SERVERS.map(({ id }) => id)),
    runs,
    /** Returns how often a row is measured: as often as the user says, or as the row says. */
    runsOf: (row) => (quick || given.runs !== undefined ? runs : (row.runs ?? runs)),
    sweep: given.sweep ?? all,
    soak: given.soak ?? false,
    history: given.history ?? false,
    /** The rows of held streams that are measured. */
    feedRows: feeds,
    scale,
    write: !given["no-results"],
    // Whether the results may replace the published ones.
    full: !quick && servers === undefined && scale === 1 && runs >= RUNS,
  };
}

function parse(args) {
  try {
    return parseArgs({ args, options: FLAGS, allowPositionals: false }).values;
  } catch (error) {
    if (!error.code?.startsWith("ERR_PARSE_ARGS")) throw error;
    throw new Error(`${error.message.split(". ")[0].replace(/\.$/, "")}. Usage:\n${usage()}`);
  }
}

/** Parses a list of ids. Returns them in the order of `list`. */
function chooseFrom(name, value, list) {
  const ids = value
    .split(",")
    .map((id) => id.trim())
    .filter(Boolean);
  const find = (id) => list.find((one) => one.id.toLowerCase() === id.toLowerCase());
  const unknown = ids.find((id) => !find(id));
  if (unknown !== undefined) throw new Error(`--${name} contains "${unknown}"; choose from ${idsOf(list)}`);
  if (ids.length === 0) throw new Error(`--${name} is empty; choose from ${idsOf(list)}`);
  const wanted = new Set(ids.map((id) => find(id).id));
  return list.map(({ id }) => id).filter((id) => wanted.has(id));
}

/** Parses a positive number. */
function positive(name, value, isValid = Number.isFinite) {
  const number = Number(value);
  if (value.trim() !== "" && number > 0 && isValid(number)) return number;
  const expected = isValid === Number.isInteger ? "a whole number of at least 1" : "a number above 0";
  throw new Error(`--${name} is "${value}": it has to be ${expected}`);
}
