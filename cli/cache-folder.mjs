import { homedir } from "node:os";
import { join } from "node:path";

/** Returns this project's folder in the folder where programs of this user keep what they can get again. */
export function cacheFolder() {
  const library = process.platform === "darwin" ? join(homedir(), "Library", "Caches") : join(homedir(), ".cache");
  return join(process.env.XDG_CACHE_HOME || library, "sse-broadcaster");
}
