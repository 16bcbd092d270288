// The bindings of a mounted hub, and the paths for calls of the Worker's own code.

/** The binding of the object class. */
const BINDING = "CHANNEL";
/**
 * The bindings that only a hub of its own has: its files, and the files of the storage (src/isolate/disk.rs). In the
 * user's Worker, these names belong to the user.
 */
const NOT_FOR_THE_HUB = ["ASSETS", "STORAGE"];
/** A path segment that the hub refuses as no channel id. */
const NO_ID = "%2F";
/** The paths that `new URL` would change, so that a request would reach another endpoint. */
const CHANGED_BY_URL = ["", ".", ".."];

const NO_BINDING =
  `env.${BINDING} is no Durable Object namespace. Bind the class Channel in the configuration of the Worker: ` +
  `durable_objects.bindings = [{ name = "${BINDING}", class_name = "Channel" }], with a migration that has ` +
  'new_sqlite_classes = ["Channel"]. Export the class: export { Channel } from "sse-broadcaster/worker"';

/** The bindings for the hub, by the bindings of the Worker. @type {WeakMap<object, object>} */
const known = new WeakMap();

/**
 * Returns the bindings for an object of the hub: those of the Worker, without the ones that mean something else there.
 * @param {object} env
 * @returns {any}
 */
export function objectBindings(env) {
  const made = known.get(env);
  if (made) return made;
  const hidden = NOT_FOR_THE_HUB.map((name) => [name, { value: undefined }]);
  const bindings = Object.create(env, Object.fromEntries(hidden));
  known.set(env, bindings);
  return bindings;
}

/** Returns the bindings for a request to the hub. Throws a TypeError if the Worker does not bind the objects. */
export function requestBindings(env) {
  if (typeof env?.[BINDING]?.idFromName !== "function") throw new TypeError(NO_BINDING);
  return objectBindings(env);
}

/**
 * Returns the path of one or several channels.
 * @param {string | readonly string[]} channels
 */
export function pathOf(channels) {
  const ids = typeof channels === "string" ? [channels] : channels;
  const segment = ids.map(encodeURIComponent).join(",");
  return `/channels/${CHANGED_BY_URL.includes(segment) ? NO_ID : segment}`;
}
