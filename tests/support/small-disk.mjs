// A disk that is so small that a test can fill it: a tmpfs.
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { atExit } from "./cleanup.mjs";

const BLOCK = 4_096;

/** Mounts a disk of `bytes`. It is unmounted, and its folder removed, after the test or file that has made it. */
export function smallDisk(bytes) {
  const disk = new Disk(bytes);
  after(() => disk.remove());
  atExit(() => disk.remove());
  return disk;
}

/** Returns why this machine cannot mount such a disk, or false if it can. */
export function whyNoDisk() {
  try {
    new Disk(BLOCK * 16).remove();
    return false;
  } catch (error) {
    return `this user cannot mount a tmpfs here: ${error.stderr?.toString().trim() || error.message}`;
  }
}

class Disk {
  constructor(bytes) {
    this.folder = mkdtempSync(join(tmpdir(), "sse-broadcaster-disk-"));
    this.filler = join(this.folder, "filler");
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", this.folder], { stdio: "pipe" });
      this.isMounted = true;
    } catch (error) {
      this.remove();
      throw error;
    }
  }

  /** How many bytes are free. */
  get free() {
    const { bavail, bsize } = statfsSync(this.folder);
    return bavail * bsize;
  }

  /** Fills the disk with a file, except for `bytes`. */
  fill(bytes = 0) {
    const file = openSync(this.filler, "a");
    try {
      while (this.free > bytes && writeSync(file, Buffer.alloc(BLOCK, 1)) === BLOCK);
    } catch (error) {
      if (error.code !== "ENOSPC") throw error;
    } finally {
      closeSync(file);
    }
  }

  /** Removes the file of `fill`. */
  clear() {
    rmSync(this.filler, { force: true });
  }

  remove() {
    // A process that was killed may still have files open, which only a lazy unmount permits.
    if (this.isMounted) execFileSync("umount", ["--lazy", this.folder], { stdio: "pipe" });
    this.isMounted = false;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
