// The alarms of all channels, as workerd stores them in metadata.sqlite. workerd fires every overdue alarm at once when
// it starts, and each opens a database: after a standstill that would reach the limit of open files. So this sets
// overdue alarms to later times, one after the other, before workerd starts.
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { channelDatabases } from "./databases.mjs";

const FILE = "metadata.sqlite";
const SUFFIXES = ["", "-wal", "-shm"];
/** SQLite's result codes: the file is locked; its content is damaged; it is no database. */
const [BUSY, CORRUPT, NOT_A_DATABASE] = [5, 11, 26];
/** A workerd that was killed a moment ago still has its lock for a moment. */
const BUSY_MS = 5_000;
const MS_IN_NS = 1_000_000n;
/** The first of the alarms that are set later fires so long after the start, in milliseconds. */
const FIRST_MS = 1_000n;
/** Alarms due so soon, in milliseconds, are spread together with the overdue ones, so that both keep to one pace. */
const SOON_MS = 600_000n;

/** As workerd makes it. */
const CREATE = `
  CREATE TABLE _cf_ALARM (
    actor_id TEXT PRIMARY KEY,
    scheduled_time INTEGER,
    actor_name TEXT
  ) WITHOUT ROWID`;
const HAS_TABLE = "SELECT 1 FROM sqlite_schema WHERE name = '_cf_ALARM'";
const DUE = `
  SELECT actor_id AS id, scheduled_time AS time FROM _cf_ALARM WHERE scheduled_time < ? ORDER BY scheduled_time`;
/** Where an object's own database has the time of its alarm. */
const OWN_ALARM = "SELECT value FROM _cf_METADATA WHERE key = 1";

/** Alarms in `folder`, while no workerd uses it. Throws where the file can neither be read nor be made anew. */
export class Alarms {
  constructor(folder, say) {
    this.folder = folder;
    this.path = join(folder, FILE);
    this.say = say;
    let why = existsSync(this.path) ? this.#open() : "is missing";
    if (!why && !this.database.prepare(HAS_TABLE).get()) why = "has lost its content";
    if (why) this.#rebuild(why);
  }

  /** Opens the file with a lock that excludes workerd. Returns what is wrong with its content, if anything is. */
  #open() {
    try {
      this.database = new DatabaseSync(this.path, { timeout: BUSY_MS });
      this.database.exec("PRAGMA locking_mode = EXCLUSIVE");
      const [{ quick_check: found }] = this.database.prepare("PRAGMA quick_check(1)").all();
      if (found === "ok") return undefined;
      this.database.close();
      return `is damaged (${found})`;
    } catch (error) {
      this.close();
      const code = error.errcode & 0xff;
      if ([CORRUPT, NOT_A_DATABASE].includes(code)) return `is damaged (${error.message})`;
      if (code === BUSY) throw new Error(`${this.path} is locked: another process uses this folder; end that one`);
      const help = "let this user read and write it, and its folder";
      throw new Error(`${this.path} cannot be used (${error.message}); ${help}`);
    }
  }

  /**
   * Sets all alarms again: each channel's own database has the time of its alarm, too. Without an alarm, a channel that
   * nobody uses any more would be kept for ever.
   */
  #rebuild(why) {
    const databases = channelDatabases(this.folder);
    if (databases.length > 0) {
      this.say(`${this.path} ${why}; reading the alarms of ${databases.length} channels again ...`);
    }
    this.#moveAway();
    if (this.#open()) throw new Error(`${this.path} cannot be made anew; look at the disk that it is on`);
    this.database.exec("PRAGMA journal_mode = WAL");
    // In one transaction: where this process is killed in the middle, the next one finds no table, and begins anew.
    this.database.exec(`BEGIN; ${CREATE}`);
    const insert = this.database.prepare("INSERT INTO _cf_ALARM VALUES (?, ?, NULL)");
    const unreadable = [];
    for (const { id, path } of databases) {
      try {
        const time = ownAlarm(path);
        if (time !== undefined) insert.run(id, time);
      } catch (error) {
        unreadable.push(`${path} (${error.message})`);
      }
    }
    this.database.exec("COMMIT");
    if (unreadable.length > 0) {
      this.say(
        `${unreadable.length} databases could not be read, so their channels have no alarm: ${unreadable[0]}, ...`,
      );
    }
  }

  /** Keeps what is left of the file, for somebody who looks for the cause of the damage. */
  #moveAway() {
    this.close();
    const away = `${this.path}.damaged-${new Date().toISOString().replaceAll(":", "-")}`;
    const there = SUFFIXES.filter((suffix) => existsSync(this.path + suffix));
    for (const suffix of there) renameSync(this.path + suffix, away + suffix);
    if (there.length > 0) this.say(`what was left of it is now ${away}`);
  }

  /** How many alarms are overdue. */
  overdue(now = Date.now()) {
    const query = this.database.prepare("SELECT count(*) AS count FROM _cf_ALARM WHERE scheduled_time <= ?");
    return query.get(BigInt(now) * MS_IN_NS).count;
  }

  /**
   * Sees to it that there are at least `intervalMs` milliseconds, rounded up, from each alarm that is due or will be soon
   * to the next one. Their order stays, and none becomes earlier.
   */
  spread(intervalMs, now = Date.now()) {
    const step = BigInt(Math.ceil(intervalMs)) * MS_IN_NS;
    const query = this.database.prepare(DUE);
    query.setReadBigInts(true);
    const update = this.database.prepare("UPDATE _cf_ALARM SET scheduled_time = ? WHERE actor_id = ?");
    let slot = (BigInt(now) + FIRST_MS) * MS_IN_NS;
    this.database.exec("BEGIN");
    for (const { id, time } of query.all((BigInt(now) + SOON_MS) * MS_IN_NS)) {
      if (time < slot) update.run(slot, id);
      else slot = time;
      slot += step;
    }
    this.database.exec("COMMIT");
  }

  /** Removes the alarms of channels whose databases are gone: they would make empty databases again. */
  remove(ids) {
    const remove = this.database.prepare("DELETE FROM _cf_ALARM WHERE actor_id = ?");
    this.database.exec("BEGIN");
    for (const id of ids) remove.run(id);
    this.database.exec("COMMIT");
  }

  /** Frees the lock. */
  close() {
    if (this.database?.isOpen) this.database.close();
  }
}

/** The time of the alarm in a channel's own database, in nanoseconds since 1970, or undefined. */
function ownAlarm(path) {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    if (!database.prepare("SELECT 1 FROM sqlite_schema WHERE name = '_cf_METADATA'").get()) return undefined;
    const query = database.prepare(OWN_ALARM);
    query.setReadBigInts(true);
    const time = query.get()?.value;
    return typeof time === "bigint" ? time : undefined;
  } finally {
    database.close();
  }
}
