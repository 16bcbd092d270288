// The field Token: for which server the token was entered, and its claims.
import { byId, fieldOf, setText } from "./dom.ts";
import { allows, type Claims, decode, duration } from "./jwt.ts";
import { channelsOf, isChannelList, serverOf } from "./target.ts";

/** From this remaining time on, the countdown has a colour. */
const SOON_MS = 60_000;
/** How many patterns of a claim are shown. */
const MAX_SHOWN = 8;

const form = byId<HTMLFormElement>("subscribe");
const field = fieldOf(form, "token");
const serverField = fieldOf(form, "server");
const channelField = fieldOf(form, "channel");
const info = byId("token-info");
const note = byId("note");

/** The server of the token in the field: the value of the field Server when the token was entered. */
let tokenServer: string | undefined;

/** Remembers that the entered token is for the current server. */
export function rememberTokenServer() {
  tokenServer = serverOf(serverField.value);
  setText(note, "");
  showClaims();
}

/** Removes the token if it was entered for another server than the current one. */
export function removeForeignToken() {
  const server = serverOf(serverField.value);
  if (!field.value || server === tokenServer) return;
  field.value = "";
  const owner = tokenServer ? `for ${tokenServer}` : "entered when there was no server";
  const next = server ?? "the new server";
  setText(note, `The token was removed: it was ${owner}. Enter a token for ${next} if it needs one.`);
  showClaims();
}

/** Returns the token for a server, or undefined if none was entered for it. */
export function tokenFor(server: string): string | undefined {
  return (server === tokenServer && field.value.trim()) || undefined;
}

/** Returns the claims of the token for a server, or undefined if there is none or it is not a JWT. */
export function claimsFor(server: string): Claims | undefined {
  const token = tokenFor(server);
  return token ? decode(token) : undefined;
}

/** Shows in an empty field which server a token would be for. */
export function showTokenServer() {
  const server = serverOf(serverField.value);
  field.placeholder = server ? `for ${server}` : "";
}

/** Shows the claims of the token, and how long it is valid. */
function showClaims() {
  const token = field.value.trim();
  const claims = decode(token);
  const remaining = claims?.expires === undefined ? Number.POSITIVE_INFINITY : claims.expires - Date.now();
  delete info.dataset.state;
  if (!token) return setText(info, "");
  if (!claims) {
    info.dataset.state = "refused";
    return setText(info, "This is not a JWT, which has three parts with dots between them.");
  }
  if (remaining <= 0) info.dataset.state = "refused";
  else if (remaining < SOON_MS) info.dataset.state = "reconnecting";
  setText(info, describe(claims, remaining));
}

function describe(claims: Claims, remaining: number): string {
  const channels = isChannelList(channelField.value) ? channelsOf(channelField.value) : [];
  const missing = channels.filter((channel) => !allows(claims.subscribe, channel));
  const { expires, notBefore = 0, subject } = claims;
  const starts = notBefore - Date.now();
  const sentences = [
    remaining <= 0 ? `Expired ${duration(-remaining)} ago.` : undefined,
    expires === undefined ? "Has no exp, so a hub refuses it." : undefined,
    remaining > 0 && expires !== undefined ? `Expires in ${duration(remaining)}.` : undefined,
    starts > 0 ? `Not valid for another ${duration(starts)}.` : undefined,
    subject ? `Subject ${subject}.` : undefined,
    `Subscribes to ${patterns(claims.subscribe)}.`,
    `Publishes to ${patterns(claims.publish)}.`,
    missing.length > 0 ? `Does not subscribe to ${missing.slice(0, MAX_SHOWN).join(", ")}.` : undefined,
  ];
  return sentences.filter(Boolean).join(" ");
}

function patterns(list: string[]): string {
  if (list.length === 0) return "nothing";
  if (list.includes("*")) return "all channels";
  const rest = list.length - MAX_SHOWN;
  return list.slice(0, MAX_SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Sets the token from the address of the page, and starts to watch the fields. */
export function startToken(token: string) {
  field.value = token;
  showTokenServer();
  rememberTokenServer();
  field.addEventListener("input", rememberTokenServer);
  channelField.addEventListener("input", showClaims);
  serverField.addEventListener("input", showTokenServer);
  // This happens on change, not on input: if the user restores the server while typing, the token stays.
  serverField.addEventListener("change", removeForeignToken);
  setInterval(showClaims, 1_000);
}
