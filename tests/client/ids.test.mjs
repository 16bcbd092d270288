// Channel ids, paths and event ids of the client.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isAfter, listOf, pathOf, splitId } from "../../client/src/channels.ts";

test("the client accepts one channel id and lists of different ones", () => {
  for (const [given, list] of [
    ["foo", ["foo"]],
    [["foo"], ["foo"]],
    [
      ["orders", "user.42", "a~b:c@d-e_F", "...", "x".repeat(128)],
      ["orders", "user.42", "a~b:c@d-e_F", "...", "x".repeat(128)],
    ],
  ]) {
    assert.deepEqual(listOf(given), list);
  }
});

test("the client refuses an invalid channel id with an error that names the allowed characters", () => {
  for (const wrong of ["", ".", "..", "a/b", "a,b", "a b", "é", "a%2Cb", "x".repeat(129), [], ["a", "a"], ["a", ""]]) {
    assert.throws(() => listOf(wrong), { name: "TypeError", message: /expected 1 to 128 of/ }, `${wrong}`);
  }
});

test("a path has the parameters that are defined, encoded", () => {
  assert.equal(pathOf("foo"), "/channels/foo");
  assert.equal(pathOf(["a", "b"], "/broadcast", { event: "x&y=1" }), "/channels/a,b/broadcast?event=x%26y%3D1");
  assert.equal(pathOf("foo", "", { history: 0, catch_up: undefined }), "/channels/foo?history=0");
});

test("the id of an event in its channel is found in the ids of both kinds of streams", () => {
  assert.deepEqual(splitId("38G3E9VRB4D2P-1"), [undefined, "38G3E9VRB4D2P-1"]);
  assert.deepEqual(splitId("user.42/38G3E9VRX9M3C-0;ASAI_eKPg"), ["user.42", "38G3E9VRX9M3C-0"]);
});

test("ids are compared by epoch, and then by number", () => {
  const sorted = ["38G3E9VRB4D2P-0", "38G3E9VRB4D2P-9", "38G3E9VRB4D2P-10", "38G3E9VRB4D2Q-1", "38G3EAVRB4D2P-0"];
  for (const [at, id] of sorted.entries()) {
    for (const [otherAt, other] of sorted.entries()) assert.equal(isAfter(id, other), at > otherAt, `${id} ${other}`);
  }
});
