/**
 * Returns consecutive numbers as the data of events: `numbers(3)` is `["1", "2", "3"]`.
 * @param {number} count
 */
export const numbers = (count, first = 1) => Array.from({ length: count }, (_, n) => String(first + n));
