// The entry module of the Worker for `npm run serve`: it has the exports of src/entry.mjs, and the entrypoint of the
// admin socket. A deploy does not contain this module.
import ShimmedHub from "../build/index.js";

export { Channel, default } from "./entry.mjs";

const hub = ShimmedHub.prototype;
const noContent = () => new Response(null, { status: 204 });

/** Answers with 204 if the settings are valid, and otherwise with 500 and what is wrong. */
async function checkSettings(env) {
  const error = await hub.settingsError(env);
  return error === undefined ? noContent() : new Response(error, { status: 500 });
}

/** Answers when all streams have ended. */
async function stop(env) {
  await hub.shutDown(env);
  return noContent();
}

const ENDPOINTS = { "GET /settings": checkSettings, "POST /stop": stop };

export const Admin = {
  fetch({ method, url }, env) {
    const endpoint = ENDPOINTS[`${method} ${new URL(url).pathname}`];
    return endpoint ? endpoint(env) : new Response(null, { status: 404 });
  },
};
