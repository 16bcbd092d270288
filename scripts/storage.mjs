// What the Worker may do with the files in STATE_DIR, for bare workerd, where this runs: test whether there is space, and
// remove the database of one channel. The disk service STATE can read, write and remove every file there, so only this
// Worker gets it, and it makes the names of files itself.
const CHANNEL_FOLDER = "channel";
/** The names of SQLite's files: the database, its log, the index of that, and the journal of a change of its mode. */
const SUFFIXES = [".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal"];
/** See `keepReserve` in workerd.mjs. */
const RESERVE = "reserve";
const ROOM = "room";
const RESERVE_BYTES = 1 << 20;
/** Twice the largest BUFFER_BYTES, and some more. */
const MAX_ROOM_BYTES = 32 << 20;

const done = () => new Response(null, { status: 204 });
const refuse = (status, why) => new Response(why, { status });

/** Random bytes: no file system can store these in less space. */
function bytes(length) {
  const data = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(data.subarray(at, Math.min(length, at + 65_536)));
  return data;
}

class Files {
  constructor(disk) {
    this.disk = disk;
  }

  /** Writes a file. The disk service writes another one first, which is gone where that fails. */
  async write(name, length) {
    const { ok, status } = await this.disk.fetch(`http://disk/${name}`, { method: "PUT", body: bytes(length) });
    if (!ok) throw new Error(`the disk answers ${status}`);
  }

  async remove(name) {
    const { ok, status } = await this.disk.fetch(`http://disk/${name}`, { method: "DELETE" });
    if (!ok && status !== 404) throw new Error(`the disk answers ${status}`);
  }

  /** Whether files can be opened at all, as they can on a full disk, but not beyond the limit of open files. */
  async canOpen() {
    try {
      return (await this.disk.fetch(`http://disk/${CHANNEL_FOLDER}/metadata.sqlite`, { method: "HEAD" })).ok;
    } catch {
      return false;
    }
  }

  /** Fails where `room` bytes cannot be written beside the reserve. Makes the reserve where it can. */
  async makeReserve(room) {
    await this.write(ROOM, RESERVE_BYTES + room);
    await this.remove(ROOM);
    await this.write(RESERVE, RESERVE_BYTES);
  }
}

/** Does what `request` asks for. */
async function answer({ url, method }, files) {
  const { pathname, searchParams } = new URL(url);
  if (pathname === `/${RESERVE}` && method === "DELETE") {
    await files.remove(RESERVE);
    return done();
  }
  if (pathname === `/${RESERVE}` && method === "PUT") {
    const room = Number(searchParams.get("room"));
    if (!(Number.isInteger(room) && room >= 0 && room <= MAX_ROOM_BYTES))
      return refuse(400, "room is no number of bytes");
    try {
      await files.makeReserve(room);
    } catch {
      if (!(await files.canOpen())) return refuse(503, "no file can be opened");
      try {
        await files.makeReserve(room);
      } catch (error) {
        // Only where files can be opened before and after it, it fails for want of space.
        if (!(await files.canOpen())) return refuse(503, "no file can be opened");
        throw error;
      }
    }
    return done();
  }
  const [, object] = pathname.match(/^\/channel\/([0-9a-f]{64})$/) ?? [];
  if (!object || method !== "DELETE") return refuse(404, "there is nothing at this path");
  for (const suffix of SUFFIXES) await files.remove(`${CHANNEL_FOLDER}/${object}${suffix}`);
  return done();
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
