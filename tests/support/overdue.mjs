// The storage of a hub that has been down for so long that the alarms of many channels are overdue.
import { createHash, createHmac } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { startWorkerd } from "../../cli/serve/workerd.mjs";
import { temporaryFolder } from "./folder.mjs";
import { Channel } from "./hub.mjs";
import { sleep } from "./wait.mjs";

/** With these settings, an alarm clears a channel three seconds after its last event. */
export const SHORT_LIVED = { ACCESS: "open", HISTORY_SECONDS: "3", IDEMPOTENCY_SECONDS: "1", LOG_LEVEL: "error" };
const DATABASE = /^[0-9a-f]{64}\.sqlite$/;
/** The unique key of the namespace in workerd's configuration. */
const UNIQUE_KEY = "channel";

/**
 * Returns the id that workerd gives the object of a channel, as its actor-id-impl.c++ computes it.
 * @param {string} name
 */
export function objectId(name) {
  const key = createHash("sha256").update(UNIQUE_KEY).digest();
  const hmac = (data) => createHmac("sha256", key).update(data).digest().subarray(0, 16);
  const first = hmac(name);
  return Buffer.concat([first, hmac(first)]).toString("hex");
}

/** Returns the names of the channels' databases in a storage folder. */
export function databasesIn(stateDir) {
  return readdirSync(join(stateDir, "channel")).filter((name) => DATABASE.test(name));
}

/**
 * Fills `stateDir` with the storage of `count` channels c0, c1 and so on, each with one event, and waits until their
 * alarms are overdue.
 */
export async function makeOverdue(stateDir, count) {
  const template = temporaryFolder();
  const hub = await startWorkerd({ settings: SHORT_LIVED, stateDir: template, stdout: "ignore" });
  await new Channel(hub, "c0").publish("x");
  await hub.stop();
  const folder = join(stateDir, "channel");
  mkdirSync(folder, { recursive: true });
  const from = join(template, "channel");
  if (databasesIn(template)[0] !== `${objectId("c0")}.sqlite`) throw new Error("workerd computes other ids");
  copyFileSync(join(from, "metadata.sqlite"), join(folder, "metadata.sqlite"));
  const database = new DatabaseSync(join(folder, "metadata.sqlite"));
  const insert = database.prepare(
    "INSERT OR IGNORE INTO _cf_ALARM SELECT ?, scheduled_time, ? FROM _cf_ALARM WHERE actor_name = 'c0'",
  );
  database.exec("BEGIN");
  for (let n = 0; n < count; n++) {
    copyFileSync(join(from, `${objectId("c0")}.sqlite`), join(folder, `${objectId(`c${n}`)}.sqlite`));
    insert.run(objectId(`c${n}`), `c${n}`);
  }
  database.exec("COMMIT");
  database.close();
  await sleep(3_000);
}
