// The ports that a server can listen on.

const MAX_PORT = 65_535;

/** The rule for ports, as messages state it. */
export const PORT_RULE = `it has to be a whole number from 1 to ${MAX_PORT}`;

/**
 * Returns whether `text` is a port. Port 0, which lets the system choose one, is none.
 * @param {string} text
 */
export const isPort = (text) => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_PORT;
