// Checks the settings of `npm run serve` before it listens.
import { askAdmin } from "./admin.mjs";
import { startWorkerd } from "./workerd.mjs";

/**
 * Lets the Worker itself check its settings, in a workerd that listens on no port and has no stored data. Returns what
 * is wrong with the settings, or undefined if nothing is.
 * @param {Record<string, string>} settings
 */
export async function checkSettings(settings) {
  const workerd = await startWorkerd({ settings, port: null, admin: true });
  try {
    const { status, body } = await askAdmin(/** @type {string} */ (workerd.adminSocket), "GET", "/settings");
    return status === 204 ? undefined : body;
  } finally {
    workerd.kill();
    await workerd.ended;
  }
}
