// A hub whose objects a test can abort, as the platform does when it replaces them.
import assert from "node:assert/strict";
import { join } from "node:path";
import { hubModules } from "../../cli/serve/workerd.mjs";
import { root } from "../../scripts/install.mjs";
import { startWorkerd } from "./workerd.mjs";

const ENTRY = "tests/fixtures/abortable.mjs";

/**
 * Starts a hub whose streams the Worker holds.
 * @param {import("./hub.mjs").Settings} [settings]
 */
export function startAbortable(settings = {}) {
  const worker = [{ name: ENTRY, path: join(root, ENTRY) }, ...hubModules()];
  return startWorkerd({ LOG_LEVEL: "error", HOLD_STREAMS: "worker", ...settings }, { worker });
}

/**
 * Aborts the object of the channel `id`.
 * @param {{ origin: string }} hub
 * @param {string} id
 */
export async function abort(hub, id) {
  const { status } = await fetch(`${hub.origin}/abort/${id}`, { method: "POST" });
  assert.equal(status, 204);
}
