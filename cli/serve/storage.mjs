// Gives the hub's Worker on bare workerd limited access to the files in STATE_DIR: it can test whether there is free
// space, and remove the database of one channel. This is a Worker. Its disk service STATE can read, write and remove
// every file there, so only this Worker gets that service, and it never takes a file name from a request.
const CHANNEL_FOLDER = "channel";
/** The suffixes of SQLite's files: the database, its write-ahead log, the log's index, and the rollback journal. */
const SUFFIXES = [".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal"];
/** The file of the reserve; see `keepReserve` in reserve.mjs. */
const RESERVE = "reserve";
/** The file that is written to test for free space. */
const ROOM = "room";
const RESERVE_BYTES = 1 << 20;
/** A little more than twice the largest BUFFER_BYTES. */
const MAX_ROOM_BYTES = 32 << 20;
/** The most bytes that one call of `getRandomValues` fills. */
const MAX_RANDOM_BYTES = 65_536;

const noContent = () => new Response(null, { status: 204 });
const refuse = (status, reason) => new Response(reason, { status });

/** Returns random bytes, which no file system can compress. */
function randomBytes(length) {
  const data = new Uint8Array(length);
  for (let start = 0; start < length; start += MAX_RANDOM_BYTES) {
    crypto.getRandomValues(data.subarray(start, Math.min(length, start + MAX_RANDOM_BYTES)));
  }
  return data;
}

class Files {
  constructor(disk) {
    this.disk = disk;
  }

  /** Writes a file. The disk service writes a temporary file first, and removes it if the write fails. */
  async write(name, length) {
    const { ok, status } = await this.disk.fetch(`http://disk/${name}`, { method: "PUT", body: randomBytes(length) });
    if (!ok) throw new Error(`the disk service answers ${status}`);
  }

  async remove(name) {
    const { ok, status } = await this.disk.fetch(`http://disk/${name}`, { method: "DELETE" });
    if (!ok && status !== 404) throw new Error(`the disk service answers ${status}`);
  }

  /** Whether a file can be opened. That works on a full disk, but not at the limit of open files. */
  async canOpen() {
    try {
      return (await this.disk.fetch(`http://disk/${CHANNEL_FOLDER}/metadata.sqlite`, { method: "HEAD" })).ok;
    } catch {
      return false;
    }
  }

  /** Writes the reserve if there are `room` free bytes beside it. Throws an error otherwise. */
  async makeReserve(room) {
    await this.write(ROOM, RESERVE_BYTES + room);
    await this.remove(ROOM);
    await this.write(RESERVE, RESERVE_BYTES);
  }
}

async function removeReserve(files) {
  await files.remove(RESERVE);
  return noContent();
}

/** Writes the reserve. Answers 507 if the disk is full, and 503 if no file can be opened. */
async function writeReserve(files, room) {
  if (!(Number.isInteger(room) && room >= 0 && room <= MAX_ROOM_BYTES))
    return refuse(400, "room is not a number of bytes");
  try {
    await files.makeReserve(room);
    return noContent();
  } catch {
    if (!(await files.canOpen())) return refuse(503, "no file can be opened");
  }
  try {
    await files.makeReserve(room);
    return noContent();
  } catch (error) {
    // The disk is full only if files can be opened both before and after the failure.
    if (!(await files.canOpen())) return refuse(503, "no file can be opened");
    throw error;
  }
}

async function removeDatabase(files, object) {
  for (const suffix of SUFFIXES) await files.remove(`${CHANNEL_FOLDER}/${object}${suffix}`);
  return noContent();
}

async function answer({ url, method }, files) {
  const { pathname, searchParams } = new URL(url);
  if (pathname === `/${RESERVE}` && method === "DELETE") return removeReserve(files);
  if (pathname === `/${RESERVE}` && method === "PUT") return writeReserve(files, Number(searchParams.get("room")));
  const [, object] = pathname.match(/^\/channel\/([0-9a-f]{64})$/) ?? [];
  if (object && method === "DELETE") return removeDatabase(files, object);
  return refuse(404, "there is nothing at this path");
}

export default {
  async fetch(request, { STATE }) {
    try {
      return await answer(request, new Files(STATE));
    } catch (error) {
      return refuse(507, error.message);
    }
  },
};
