import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

/** Returns this project's folder in the folder where programs of this user keep what they can get again. */
export function cacheFolder() {
  const { XDG_CACHE_HOME = "" } = process.env;
  // The XDG Base Directory Specification says that a relative path is ignored.
  if (isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "sse-broadcaster");
  const caches = process.platform === "darwin" ? join("Library", "Caches") : ".cache";
  return join(homedir(), caches, "sse-broadcaster");
}
