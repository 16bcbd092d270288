// Advice for the user in each situation, with a command to copy if there is one.
import { copyFrom } from "./clipboard.ts";
import { byId, find, setText } from "./dom.ts";
import type { Situation } from "./situation.ts";
import type { Target } from "./target.ts";

interface Help {
  text: string;
  command?: string;
}

const LOCAL = ["127.0.0.1", "localhost", "[::1]"];
const REFUSED_TOKEN = [401, 403];

const section = byId("help");
const text = find(section, "p");
const box = find(section, ".command");
const command = find(section, "code");
const button = find<HTMLButtonElement>(section, "button");
button.addEventListener("click", () => copyFrom(button, command.textContent ?? ""));

/** Shows what the user can do, or nothing if there is nothing to do. */
export function showHelp(situation: Situation, target: Target | undefined) {
  const help = target && helpFor(situation, target);
  section.hidden = !help;
  if (!help) return;
  section.dataset.state = situation.kind;
  setText(text, help.text);
  box.hidden = !help.command;
  setText(command, help.command ?? "");
}

function helpFor({ kind, status }: Situation, { server, channels }: Target): Help | undefined {
  if (kind === "unreachable") return helpToReach(server);
  if (kind === "taken") return { text: TAKEN };
  if (kind === "ended") return { text: ENDED };
  if (kind === "refused" && REFUSED_TOKEN.includes(status)) {
    const command = `npx sse-broadcaster token ${options(channels)}`;
    const problem = status === 401 ? "This hub needs a valid token." : "The token does not permit this.";
    return { text: `${problem} ${MAKE_TOKEN}`, command };
  }
  return undefined;
}

const TAKEN =
  "Over HTTP/1.1, a browser opens at most six connections to a server, for all its tabs together. Close another tab with a stream of this server, subscribe to several channels on one stream, or serve the hub by HTTP/2.";
const ENDED =
  "Nothing more will arrive. The next publish opens the channel again; then press Subscribe to receive its events.";
const MAKE_TOKEN =
  "Where the JWT_SECRET of the hub is in the environment, this command prints a token for an hour. Enter it in the field Token, and press Subscribe.";

function helpToReach(server: string): Help {
  const { protocol, hostname } = new URL(server);
  if (LOCAL.includes(hostname)) {
    return {
      text: "Is the hub running, with this port? This command starts one for experiments, which needs no token.",
      command: "ACCESS=open npx sse-broadcaster serve",
    };
  }
  if (location.protocol === "https:" && protocol === "http:") {
    return { text: "A page that was loaded by https may not send requests by http. Enter a server with https." };
  }
  return { text: "Check the address of the server. With ALLOWED_ORIGINS, a hub answers only pages of these origins." };
}

/** The options of the command that makes a token for channels. */
function options(channels: string[]): string {
  // Only a tilde at the beginning has a meaning to a shell.
  const quoted = channels.map((channel) => (channel.startsWith("~") ? `'${channel}'` : channel));
  return ["--subscribe", "--publish"].flatMap((name) => quoted.map((channel) => `${name} ${channel}`)).join(" ");
}
