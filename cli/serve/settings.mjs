/** The names of all settings. `cargo test` compares this list with the table in src/settings/table.rs. */
export const SETTINGS = [
  "BUFFER_EVENTS",
  "BUFFER_BYTES",
  "HEARTBEAT_SECONDS",
  "STALL_SECONDS",
  "FLUSH_MAX_MS",
  "MAX_EVENT_BYTES",
  "MAX_BATCH_BYTES",
  "MAX_BATCH_EVENTS",
  "BODY_SECONDS",
  "MEMORY_BYTES",
  "MAX_SUBSCRIBERS",
  "HELD_STREAM_MESSAGES",
  "MAX_CHANNELS_PER_STREAM",
  "MAX_OPEN_CHANNELS",
  "PUBLISH_PER_SECOND",
  "HISTORY_EVENTS",
  "HISTORY_SECONDS",
  "HISTORY_BYTES",
  "IDEMPOTENCY_SECONDS",
  "IDEMPOTENCY_KEYS",
  "ACCESS",
  "JWT_SECRET",
  "JWT_KEYS",
  "JWT_ISSUER",
  "JWT_AUDIENCE",
  "ALLOWED_ORIGINS",
  "HOLD_STREAMS",
  "LOG_LEVEL",
];

/** Returns the settings that are set in `environment`. A setting whose value is empty counts as not set. */
export function settingsIn(environment) {
  return Object.fromEntries(SETTINGS.filter((name) => environment[name]).map((name) => [name, environment[name]]));
}
