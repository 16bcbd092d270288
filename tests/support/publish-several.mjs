// Publishes to several channels with one request, and checks the answers.
import assert from "node:assert/strict";

/**
 * Publishes to the channels in `list`, which is the segment of the path.
 * @param {{ origin: string }} to
 * @param {string} list
 * @param {BodyInit} body
 * @param {{ key?: string, query?: string, type?: string, headers?: Record<string, string> }} [options]
 */
export async function post(to, list, body, { key, query = "", type = "text/plain", headers = {} } = {}) {
  const all = { "Content-Type": type, ...headers };
  if (key !== undefined) all["Idempotency-Key"] = key;
  const response = await fetch(`${to.origin}/channels/${list}/broadcast${query}`, {
    method: "POST",
    body,
    headers: all,
  });
  const text = await response.text();
  assert.match(text, /^.+\n$/, "the body is one line");
  const header = (name) => response.headers.get(name);
  return {
    status: response.status,
    type: header("content-type"),
    replayed: header("idempotency-replayed"),
    retryAfter: header("retry-after"),
    text,
    body: JSON.parse(text),
  };
}

/** Returns the data of the stored events of a channel. */
export async function stored(to, id) {
  const { events } = await to.channel(id).history();
  return events.map(({ data }) => data);
}

/** Checks that an answer is the problem `type` and names no channels of its own. */
export function assertProblem(answer, status, type, detail) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.type, "application/problem+json");
  assert.equal(answer.body.type, `urn:sse-broadcaster:problem:${type}`);
  assert.match(answer.body.detail, detail);
}

/** The result of each channel in an answer. */
export const results = (answer) => answer.body.channels;
/** The channels in an answer. */
export const idsOf = (answer) => results(answer).map(({ channel }) => channel);
