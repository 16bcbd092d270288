/**
 * Returns the rows of a table of test cases. With this call, TypeScript takes each row for a tuple.
 * @template {[unknown, ...unknown[]]} T
 * @param {T[]} rows
 */
export const cases = (rows) => rows;
