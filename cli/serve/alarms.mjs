// Reads and changes the alarms of all channels in metadata.sqlite, the file in which workerd stores them.
//
// When workerd starts, it fires every overdue alarm at once, and each alarm opens a database. After a long downtime
// that can exceed the limit of open files. So the overdue alarms are moved to later times, one after the other, before
// workerd starts.
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { channelDatabases } from "./databases.mjs";

const FILE = "metadata.sqlite";
const SUFFIXES = ["", "-wal", "-shm"];
/** SQLite's result codes for a locked file, a damaged file, and a file that is not a database. */
const [BUSY, CORRUPT, NOT_A_DATABASE] = [5, 11, 26];
/** How long to wait for the lock, in milliseconds: a workerd that was just killed may still hold it. */
const BUSY_MS = 5_000;
const NS_PER_MS = 1_000_000n;
/** The delay of the first rescheduled alarm, in milliseconds. */
const FIRST_MS = 1_000n;
/** Alarms due within this time, in milliseconds, are rescheduled together with the overdue ones. */
const SOON_MS = 600_000n;

/** The table exactly as workerd creates it. */
const CREATE_TABLE = `
  CREATE TABLE _cf_ALARM (
    actor_id TEXT PRIMARY KEY,
    scheduled_time INTEGER,
    actor_name TEXT
  ) WITHOUT ROWID`;
const HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE name = '_cf_ALARM'";
const COUNT_DUE = "SELECT count(*) AS count FROM _cf_ALARM WHERE scheduled_time <= ?";
const SELECT_DUE = `
  SELECT actor_id AS id, scheduled_time AS time FROM _cf_ALARM WHERE scheduled_time < ? ORDER BY scheduled_time`;
/** Selects the alarm's time in an object's own database. */
const SELECT_OWN_ALARM = "SELECT value FROM _cf_METADATA WHERE key = 1";

/**
 * The alarms of the channels in `folder`. No workerd may use the folder meanwhile; an exclusive lock ensures that. The
 * constructor throws an error if the file can neither be read nor be created again.
 */
export class Alarms {
  constructor(folder, say) {
    const path = join(folder, FILE);
    const { database, damage } = existsSync(path) ? open(path) : { damage: "is missing" };
    this.database = database ?? rebuild(folder, path, damage, say);
  }

  /** Counts the overdue alarms. */
  overdue(now = Date.now()) {
    const row = this.database.prepare(COUNT_DUE).get(BigInt(now) * NS_PER_MS);
    return Number(row?.count);
  }

  /**
   * Reschedules the alarms that are overdue or due soon, so that at least `intervalMs` milliseconds (rounded up) pass
   * between two of them. They keep their order, and no alarm is moved to an earlier time.
   */
  spread(intervalMs, now = Date.now()) {
    const interval = BigInt(Math.ceil(intervalMs)) * NS_PER_MS;
    const select = this.database.prepare(SELECT_DUE);
    select.setReadBigInts(true);
    const update = this.database.prepare("UPDATE _cf_ALARM SET scheduled_time = ? WHERE actor_id = ?");
    let slot = (BigInt(now) + FIRST_MS) * NS_PER_MS;
    this.database.exec("BEGIN");
    for (const row of select.all((BigInt(now) + SOON_MS) * NS_PER_MS)) {
      const time = /** @type {bigint} */ (row.time);
      if (time < slot) update.run(slot, row.id);
      else slot = time;
      slot += interval;
    }
    this.database.exec("COMMIT");
  }

  /** Removes the alarms of objects whose databases were removed. Such an alarm would create an empty database again. */
  remove(ids) {
    const remove = this.database.prepare("DELETE FROM _cf_ALARM WHERE actor_id = ?");
    this.database.exec("BEGIN");
    for (const id of ids) remove.run(id);
    this.database.exec("COMMIT");
  }

  /** Releases the lock. */
  close() {
    this.database.close();
  }
}

/**
 * Opens the file with a lock that excludes workerd. Returns { database } if its content is intact, and otherwise
 * { damage }, which says what is wrong. Throws an error if the file cannot be opened.
 */
function open(path) {
  let database;
  try {
    database = new DatabaseSync(path, { timeout: BUSY_MS });
    const damage = lockAndCheck(database);
    if (!damage) return { database };
    database.close();
    return { damage };
  } catch (error) {
    database?.close();
    const code = error.errcode & 0xff;
    if ([CORRUPT, NOT_A_DATABASE].includes(code)) return { damage: `is damaged (${error.message})` };
    if (code === BUSY) throw new Error(`${path} is locked: another process uses this folder; stop that process`);
    const help = "give this user permission to read and write the file and its folder";
    throw new Error(`${path} cannot be used (${error.message}); ${help}`);
  }
}

/** Locks the database, and returns what is wrong with its content, or undefined if nothing is. */
function lockAndCheck(database) {
  database.exec("PRAGMA locking_mode = EXCLUSIVE");
  const [{ quick_check: result }] = database.prepare("PRAGMA quick_check(1)").all();
  if (result !== "ok") return `is damaged (${result})`;
  return database.prepare(HAS_TABLE).get() ? undefined : "has lost its content";
}

/**
 * Creates the file again from the channels' own databases, which also store the times of the alarms. Without an alarm,
 * an unused channel would never be cleared. Returns the new database.
 */
function rebuild(folder, path, damage, say) {
  const databases = channelDatabases(folder);
  if (databases.length > 0) {
    say(`${path} ${damage}; reading the alarms of ${databases.length} channels again ...`);
  }
  moveAside(path, say);
  const database = create(path);
  // One transaction: if this process is killed before the commit, the next start finds no table and rebuilds again.
  database.exec(`BEGIN; ${CREATE_TABLE}`);
  const unreadable = insertAlarms(database, databases);
  database.exec("COMMIT");
  if (unreadable.length > 0) {
    say(`${unreadable.length} databases could not be read, so their channels have no alarm: ${unreadable[0]}, ...`);
  }
  return database;
}

/** Renames the damaged file instead of removing it, so that somebody can look for the cause of the damage. */
function moveAside(path, say) {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
  const suffixes = SUFFIXES.filter((suffix) => existsSync(path + suffix));
  for (const suffix of suffixes) renameSync(path + suffix, aside + suffix);
  if (suffixes.length > 0) say(`the old file was renamed to ${aside}`);
}

/** Creates an empty database at `path`, and locks it. */
function create(path) {
  try {
    const database = new DatabaseSync(path, { timeout: BUSY_MS });
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
    return database;
  } catch (error) {
    throw new Error(`${path} cannot be created again (${error.message}); check the disk`);
  }
}

/** Copies the alarm of each channel's database. Returns the paths of the databases that could not be read. */
function insertAlarms(database, databases) {
  const insert = database.prepare("INSERT INTO _cf_ALARM VALUES (?, ?, NULL)");
  const unreadable = [];
  for (const { id, path } of databases) {
    try {
      const time = ownAlarm(path);
      if (time !== undefined) insert.run(id, time);
    } catch (error) {
      unreadable.push(`${path} (${error.message})`);
    }
  }
  return unreadable;
}

/** Reads the alarm's time, in nanoseconds since 1970, from a channel's own database. Undefined if there is no alarm. */
function ownAlarm(path) {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_cf_METADATA'").get()) return undefined;
    const query = database.prepare(SELECT_OWN_ALARM);
    query.setReadBigInts(true);
    const time = query.get()?.value;
    return typeof time === "bigint" ? time : undefined;
  } finally {
    database.close();
  }
}
