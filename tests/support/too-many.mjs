import assert from "node:assert/strict";

/**
 * Checks that an answer has status 429, this problem type and this Retry-After.
 * @param {{ status: number, headers: Record<string, string>, text: string }} answer
 * @param {string} type
 * @param {string} retryAfter
 * @param {RegExp} detail
 */
export function assertTooMany({ status, headers, text }, type, retryAfter, detail) {
  assert.equal(status, 429, text);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.equal(headers["retry-after"], retryAfter);
  assert.equal(headers["access-control-allow-origin"], "*");
  assert.match(headers["access-control-expose-headers"], /\bRetry-After\b/);
  const problem = JSON.parse(text);
  assert.deepEqual([problem.type, problem.status], [`urn:sse-broadcaster:problem:${type}`, 429]);
  assert.match(problem.detail, detail);
}
