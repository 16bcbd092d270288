// `sse-broadcaster token`: prints a token.
import { printTokenOrKeys } from "../token/token.mjs";

/** @param {string[]} args */
export function run(args) {
  return printTokenOrKeys(args, { command: "npx sse-broadcaster token", folder: process.cwd() });
}
