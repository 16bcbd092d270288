// Replaces the generated parts of a page. Each stands between two comments that name the command which writes it.

/** Returns the page with another text in the part that `command` writes. */
export function withBlock(page, command, text) {
  const begin = `<!-- What ${command} writes begins here. -->`;
  const end = `<!-- What ${command} writes ends here. -->`;
  const [before, rest] = page.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the page does not contain the lines ${begin} and ${end}`);
  return `${before}${begin}\n\n${text}\n\n${end}${after}`;
}
