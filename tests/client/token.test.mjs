// When the client asks for a token, with the clock of the test.
import assert from "node:assert/strict";
import { test } from "node:test";
import { identityOf } from "../../client/src/tabs.ts";
import { createTokens } from "../../client/src/token.ts";
import { mint } from "../support/tokens.mjs";

/** Returns a function that makes tokens, and counts its calls. */
function issuer(claims = () => ({})) {
  const issue = async () => {
    issue.calls++;
    return mint({ subscribe: ["foo"], jti: String(issue.calls), ...claims() });
  };
  issue.calls = 0;
  return issue;
}
const inSeconds = (seconds) => Date.now() / 1_000 + seconds;

test("requests at the same time ask for one token, and later ones get the same", async () => {
  const issue = issuer();
  const tokens = createTokens(issue);
  const all = await Promise.all(Array.from({ length: 20 }, () => tokens.get()));
  assert.equal(new Set([...all, await tokens.get()]).size, 1);
  assert.equal(issue.calls, 1);
});

test("a token is renewed 30 s before it expires, or when half of its life is over", async (t) => {
  for (const [life, early] of [
    [3_600, 30],
    [40, 20],
    [4, 2],
  ]) {
    t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
    const issue = issuer(() => ({ exp: inSeconds(life) }));
    const tokens = createTokens(issue);
    await tokens.get();
    assert.equal(Math.round(tokens.renewIn() / 1_000), life - early);
    t.mock.timers.tick((life - early) * 1_000 - 20);
    await tokens.get();
    assert.equal(issue.calls, 1);
    // A timer may fire some milliseconds early.
    t.mock.timers.tick(15);
    await tokens.get();
    assert.equal(issue.calls, 2);
    t.mock.timers.reset();
  }
});

test("a token that was dropped is renewed, unless another one has replaced it", async () => {
  const issue = issuer();
  const tokens = createTokens(issue);
  const first = await tokens.get();
  tokens.drop(first);
  const second = await tokens.get();
  assert.notEqual(second, first);
  tokens.drop(first);
  assert.equal(await tokens.get(), second);
});

test("while the early renewal of a token fails, the token is still used", async (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  let fails = false;
  const issue = issuer(() => ({ exp: inSeconds(60) }));
  const tokens = createTokens(async () => {
    if (fails) throw new Error("the server is away");
    return issue();
  });
  const first = await tokens.get();
  fails = true;
  t.mock.timers.tick(40_000);
  assert.equal(await tokens.get(), first);
  tokens.drop(first);
  await assert.rejects(tokens.get(), /the server is away/);
  fails = false;
  assert.notEqual(await tokens.get(), first);
});

test("a token that has expired by the clock of this machine does not cause a call for each request", async () => {
  const issue = issuer(() => ({ exp: inSeconds(-60) }));
  const tokens = createTokens(issue);
  for (let n = 0; n < 5; n++) await tokens.get();
  assert.equal(issue.calls, 1);
});

test("a value that is not a token is an error that says so, and white space around a token is removed", async () => {
  for (const wrong of ["", " ", "a b", "{\n}", "ключ"]) {
    assert.throws(() => createTokens(wrong), /token: expected a JWT/);
  }
  for (const wrong of ["", undefined, null, "<html lang>", {}]) {
    await assert.rejects(createTokens(/** @type {any} */ (() => wrong)).get(), /token: expected a JWT/);
  }
  assert.equal(await createTokens(() => " abc\r\n").get(), "abc");
  assert.equal(await createTokens(undefined).get(), undefined);
});

test("a function that does not answer is called again after 20 s, and its late answer is ignored", async (t) => {
  t.mock.timers.enable({ apis: ["Date", "setTimeout"], now: 1_800_000_000_000 });
  const answers = [];
  const tokens = createTokens(() => new Promise((resolve) => answers.push(resolve)));
  const silent = tokens.get();
  t.mock.timers.tick(19_999);
  const alsoSilent = tokens.get();
  t.mock.timers.tick(1);
  await assert.rejects(silent, /token: expected a JWT \(a function has 20 s\)/);
  await assert.rejects(alsoSilent, /has 20 s/);
  const next = tokens.get();
  assert.equal(answers.length, 2);
  answers[0]("late");
  const token = await mint({ subscribe: ["foo"], exp: inSeconds(60) });
  answers[1](token);
  assert.equal(await next, token);
  assert.equal(await tokens.get(), token);
  // The early renewal gets no answer either. The token is still good.
  t.mock.timers.tick(40_000);
  const renewal = tokens.get();
  assert.equal(answers.length, 3);
  t.mock.timers.tick(20_000);
  assert.equal(await renewal, token);
});

test("two tokens of one user have the same identity, and tokens of other users or with other rights have others", async () => {
  const of = async (claims) => identityOf(await mint(claims));
  const mine = { subscribe: ["foo"], sub: "Jürgen" };
  assert.equal(await of({ ...mine, jti: "1", iat: 1 }), await of({ ...mine, exp: inSeconds(600), nbf: 1 }));
  const identities = [
    await of(mine),
    await of({ ...mine, sub: "other" }),
    await of({ ...mine, subscribe: ["foo", "bar"] }),
    await of({ ...mine, iss: "x" }),
    identityOf(undefined),
    identityOf("opaque"),
  ];
  assert.equal(new Set(identities).size, identities.length);
});
