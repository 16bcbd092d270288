// Writes messages to the terminal, and finds the folder of this project or package.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the clone or of the installed package. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** The file descriptor to which this process and its commands write messages. */
let messageFd = 1;

/** Sends all messages to stderr from now on, so that stdout contains nothing but the result. */
export function keepStdout() {
  messageFd = 2;
}

/** Returns the file descriptor for the messages of a command that this process runs. */
export function messageOutput() {
  return messageFd;
}

/** Writes a line. */
export function say(text) {
  (messageFd === 1 ? console.log : console.error)(`sse-broadcaster: ${text}`);
}

/**
 * Prints an error, and ends this process.
 * @returns {never}
 */
export function fail(text) {
  say(text);
  process.exit(1);
}

/**
 * Prints an error in the command line, and ends this process with the status 2. `command` is the command whose
 * --help explains its options.
 * @param {string} text
 * @param {string} command
 * @returns {never}
 */
export function refuse(text, command) {
  console.error(`sse-broadcaster: ${text} All options: ${command} --help`);
  process.exit(2);
}
