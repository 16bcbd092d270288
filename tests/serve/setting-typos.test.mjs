// Variables whose names are almost those of a setting.
import assert from "node:assert/strict";
import { test } from "node:test";
import { distance, findTypos } from "../../cli/serve/setting-typos.mjs";
import { SETTINGS } from "../../cli/serve/settings.mjs";
import { serve } from "../support/serve.mjs";

/** Variables, and the settings that were meant. */
const TYPOS = [
  ["BUFFER_EVENT", "BUFFER_EVENTS"],
  ["BUFFERS_EVENTS", "BUFFER_EVENTS"],
  ["HISTROY_EVENTS", "HISTORY_EVENTS"],
  ["buffer_events", "BUFFER_EVENTS"],
  ["Log-Level", "LOG_LEVEL"],
  ["ACCES", "ACCESS"],
  ["JWT_KEY", "JWT_KEYS"],
  ["JTW_SECRET", "JWT_SECRET"],
  ["ALOWED_ORIGIN", "ALLOWED_ORIGINS"],
  ["STATEDIR", "STATE_DIR"],
];

/** Variables that other programs set. */
const OTHERS = [
  ..."PATH HOME HOST PORT USER SHELL TERM LANG EDITOR PAGER TMPDIR HOSTNAME LOGNAME OLDPWD PWD SHLVL MAIL".split(" "),
  ..."HISTSIZE HISTFILE HISTFILESIZE HISTCONTROL NODE_ENV NODE_OPTIONS DEBUG CI LC_ALL LS_COLORS TZ".split(" "),
  ..."STATE_DIRECTORY LOGS_DIRECTORY INVOCATION_ID JOURNAL_STREAM http_proxy no_proxy npm_config_loglevel".split(" "),
  ..."npm_lifecycle_event npm_package_json ACCESS_TOKEN AWS_ACCESS_KEY_ID JWT MAX_BYTES RUST_LOG".split(" "),
];

test("a name with a typo, or in another case, is found with the setting that is meant", () => {
  for (const [name, setting] of TYPOS) assert.deepEqual(findTypos({ [name]: "x" }), [{ name, setting }]);
});

test("settings, variables of other programs and empty variables are no typos", () => {
  for (const name of [...SETTINGS, ...OTHERS]) assert.deepEqual(findTypos({ [name]: "x" }), [], name);
  assert.deepEqual(findTypos({ BUFFER_EVENT: "", JWT_KEY: undefined }), []);
});

test("the distance counts inserted, removed, replaced and swapped characters", () => {
  for (const [from, to, edits] of /** @type {[string, string, number][]} */ ([
    ["", "", 0],
    ["", "abc", 3],
    ["abc", "", 3],
    ["abc", "abc", 0],
    ["abc", "axc", 1],
    ["abc", "abxc", 1],
    ["abc", "acb", 1],
    ["abcd", "badc", 2],
    ["kitten", "sitting", 3],
  ])) {
    assert.equal(distance(from, to), edits, `${from} ${to}`);
    assert.equal(distance(to, from), edits, `${to} ${from}`);
  }
});

test("npm run serve warns in one line of each variable that was probably meant to be a setting, without its value", {
  timeout: 30_000,
}, async () => {
  const hub = await serve({ BUFFER_EVENT: "secret-1", jwt_secret: "secret-2", HISTROY_EVENTS: "" });
  const warnings = hub.lines().filter((line) => line.includes("no setting of this name"));
  const line = (name, setting) =>
    `sse-broadcaster: ${name} is set, but there is no setting of this name, so it has no effect. Is ${setting} meant?`;
  const expected = [line("BUFFER_EVENT", "BUFFER_EVENTS"), line("jwt_secret", "JWT_SECRET")];
  assert.deepEqual(warnings.sort(), expected.sort());
  assert.ok(!hub.output.includes("secret-"), "the output shows a value");
  await hub.stop();
});
