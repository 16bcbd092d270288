// What the user enters about the hub: the server and the channels.

const CHANNEL = /^(?!\.{1,2}$)[A-Za-z0-9._~:@-]{1,128}$/;

/** What is wrong with a field, by its name. */
export const RULES = {
  server: "the server has to be an http or https URL without user name, query and fragment, like https://hub.example",
  channel:
    "the channel has to be 1 to 128 of A-Z a-z 0-9 . _ ~ : @ - (and not . or ..), or several different ones with commas between them",
  history: "the history has to be a whole number from 0 on",
  token: "the token has to be a complete token without other characters",
};

/** A hub and channels of it. */
export interface Target {
  /** The prefix of the URLs of the server, without a slash at its end. */
  server: string;
  channels: string[];
  /** The URL of the channels. */
  url: string;
}

/** Returns the prefix of the URLs of a server, or undefined if `text` is not the URL of a server. */
export function serverOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, username, password, origin, pathname, search, hash } = new URL(text);
  if (!["http:", "https:"].includes(protocol) || username || password || search || hash) return undefined;
  return origin + pathname.replace(/\/+$/, "");
}

export function channelsOf(text: string): string[] {
  return text.split(",").map((id) => id.trim());
}

/** Whether `text` is a list of valid channel ids, each of them once. */
export function isChannelList(text: string): boolean {
  const channels = channelsOf(text);
  return channels.every((id) => CHANNEL.test(id)) && new Set(channels).size === channels.length;
}

export function targetOf(server: string, channels: string[]): Target {
  return { server, channels, url: `${server}/channels/${channels.map(encodeURIComponent).join(",")}` };
}
