// Channel ids, paths, and the ids of events. Pure.

const CHANNEL = /^(?!\.\.?$)[\w.~:@-]{1,128}$/;

/** Returns the channels of a call as a list. Throws a TypeError if an id is invalid or named twice. */
export function listOf(channels: string | readonly string[]): string[] {
  const list = typeof channels === "string" ? [channels] : [...channels];
  const wrong = list.length ? list.find((id, at) => !CHANNEL.test(id) || list.indexOf(id) < at) : "";
  if (wrong === undefined) return list;
  throw new TypeError(`channel "${wrong}": expected 1 to 128 of A-Z a-z 0-9 . _ ~ : @ -, each once`);
}

/** Returns the path of an endpoint, with the parameters that are defined. */
export function pathOf(
  channels: string | readonly string[],
  endpoint = "",
  parameters: Record<string, string | number | undefined> = {},
): string {
  const query = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : `&${name}=${encodeURIComponent(value)}`,
  );
  return `/channels/${listOf(channels)}${endpoint}${query.join("").replace("&", "?")}`;
}

/** Splits `<epoch>-<seq>`, or `<channel>/<epoch>-<seq>;<positions>` of a stream of several channels. */
export function splitId(id: string): [channel: string | undefined, short: string] {
  const [, channel, short] = /^(?:(.*)\/)?([^;]*)/.exec(id) as RegExpExecArray;
  return [channel, short as string];
}

/** Whether the event `id` comes after the event `other` of the same channel. */
export function isAfter(id: string, other: string): boolean {
  const [epoch, seq] = id.split("-") as [string, string];
  const [otherEpoch, otherSeq] = other.split("-") as [string, string];
  return epoch === otherEpoch ? Number(seq) > Number(otherSeq) : epoch > otherEpoch;
}
