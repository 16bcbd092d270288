// The console of a hub, on one page. It works from the hub itself, from any web server and from the file system.
import { opened, setParameters, sharedAddress } from "./address.ts";
import { Numbers, showSituation } from "./bar.ts";
import { ChannelList } from "./channels.ts";
import { copyFrom } from "./clipboard.ts";
import { startCopyAs } from "./copy-as.ts";
import { byId, count, fieldOf } from "./dom.ts";
import { setHistoryTarget, startHistory } from "./history.ts";
import type { Missing } from "./hub.ts";
import { Filters } from "./log/filter.ts";
import { LogView } from "./log/view.ts";
import { startManage } from "./manage.ts";
import { OwnDelay } from "./own-delay.ts";
import { currentDraft, setPublishTarget, startPublish } from "./publish.ts";
import { Session } from "./session.ts";
import type { Situation } from "./situation.ts";
import { Subscribers } from "./subscribers.ts";
import { channelsOf, isChannelList, RULES, serverOf, type Target, targetOf } from "./target.ts";
import { removeForeignToken, startToken, tokenFor } from "./token.ts";

/** The time between two updates of the bar. */
const TICK_MS = 500;
const NARROW = matchMedia("(width < 52rem)");

const form = byId<HTMLFormElement>("subscribe");
const connection = byId<HTMLDetailsElement>("connection");
const fields = {
  server: fieldOf(form, "server"),
  channel: fieldOf(form, "channel"),
  history: fieldOf(form, "history"),
  token: fieldOf(form, "token"),
};
const catchUp = fieldOf(form, "catch_up");

const log = new LogView();
const filters = new Filters(opened.types, (filter) => log.setFilter(filter));
const ownDelay = new OwnDelay((ms) => numbers.delay(ms));
let numbers = new Numbers();
let channels = new ChannelList([]);
let session: Session | undefined;
let subscribers: Subscribers | undefined;
/** Why there is no subscription, if the fields are not valid. */
let invalid: Situation | undefined;
/** The kind of the last situation that the log has. */
let logged = "";

/** Returns the target in the fields. Throws an error that says which field is not valid. */
function readTarget(): Target {
  for (const [name, rule] of Object.entries(RULES)) {
    if (!fields[name as keyof typeof fields].validity.valid) throw new Error(rule);
  }
  return targetOf(serverOf(fields.server.value) ?? "", channelsOf(fields.channel.value));
}

function subscribe() {
  session?.close();
  subscribers?.close();
  session = subscribers = invalid = undefined;
  let target: Target | undefined;
  try {
    target = readTarget();
  } catch (error) {
    invalid = { kind: "invalid", text: (error as Error).message, status: 0 };
  }
  setPublishTarget(target, fields.channel.value);
  setHistoryTarget(target);
  logged = "";
  if (target) open(target);
  else clear([]);
  show();
}

function open(target: Target) {
  const wanted = {
    target,
    token: tokenFor(target.server),
    history: Number(fields.history.value),
    catchUp: catchUp.checked,
  };
  const observer = {
    event: ({ channel, id, type, data }: { channel: string; id: string; type: string; data: string }) => {
      numbers.received();
      filters.note(type);
      channels.event(channel, id);
      subscribers?.event();
      ownDelay.received(id);
      log.add({ time: Date.now(), kind: "event", channel: channels.nameOf(channel), type, id, data });
    },
    gap: (missing: Missing) => {
      numbers.gap(missing.count);
      note("hub.gap", missing.channel, describeGap(missing), missing.to);
    },
    dropped: (missing: Missing) => {
      numbers.dropped(missing.count);
      const lost = missing.count === null ? "events" : count(missing.count, "event");
      const range = missing.from ? `from ${missing.from} to ${missing.to}` : `up to ${missing.to}`;
      note("hub.dropped", missing.channel, `${lost} ${range} were dropped, because this page was too slow`, missing.to);
    },
    ended: (channel: string) => {
      channels.ended(channel);
      note("hub.end", channel, "the channel has ended");
    },
    failed: (channel: string, detail: string) => {
      channels.failed(channel);
      note("hub.error", channel, detail);
    },
    expired: () => note("hub.expired", "", "the token has expired"),
    changed: () => show(),
  };
  session = new Session(wanted, observer);
  if (!session.continues) clear(target.channels);
  subscribers = new Subscribers(target);
}

function clear(list: readonly string[]) {
  log.clear();
  numbers = new Numbers();
  channels = new ChannelList(list);
  ownDelay.clear();
}

function describeGap({ count: n, from, to }: Missing): string {
  if (n === null) return `events up to ${to} may be missing`;
  return `${count(n, "event")} from ${from} to ${to} are not stored any more`;
}

/** Adds a notice of the hub to the log. */
function note(type: string, channel: string, data: string, id = "") {
  log.add({ time: Date.now(), kind: "notice", channel: channels.nameOf(channel), type, id, data });
}

/** Shows the situation and the numbers. */
function show() {
  const situation = invalid ?? session?.situation;
  if (!situation) return;
  showSituation(situation, session?.target);
  numbers.show();
  log.setRate(numbers.rate);
  if (situation.kind === logged) return;
  if (situation.kind === "open") whenOpen();
  // The first steps of every subscription need no row.
  if (logged && logged !== "connecting") addStatus(situation);
  else if (situation.kind === "refused") addStatus(situation);
  logged = situation.kind;
}

function addStatus({ kind, text }: Situation) {
  log.add({ time: Date.now(), kind: "status", channel: "", type: kind, id: "", data: text, state: kind });
}

function whenOpen() {
  channels.opened();
  subscribers?.opened();
  if (NARROW.matches) connection.open = false;
}

/** Checks the fields Server and Channel. */
function check() {
  fields.server.setCustomValidity(serverOf(fields.server.value) ? "" : RULES.server);
  fields.channel.setCustomValidity(isChannelList(fields.channel.value) ? "" : RULES.channel);
}

function start() {
  fields.server.value = opened.server;
  fields.channel.value = opened.channel;
  fields.history.value = opened.history;
  catchUp.checked = opened.catch_up === "1";
  if (NARROW.matches) byId<HTMLDetailsElement>("publishing").open = false;
  check();
  startToken(opened.token);
  form.addEventListener("input", check);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    removeForeignToken();
    const { server, channel, history } = fields;
    const values = { server: server.value, channel: channel.value, history: history.value };
    setParameters({ ...values, catch_up: catchUp.checked ? "1" : "" });
    subscribe();
  });
  byId("unsubscribe").addEventListener("click", () => {
    session?.close();
    show();
  });
  const share = byId<HTMLButtonElement>("share");
  share.addEventListener("click", () => copyFrom(share, sharedAddress(session?.target.server)));
  startPublish({
    published: (server, channel, { id = "", subscribers: streams = 0 }, started) => {
      subscribers?.receipt(server, channel, streams);
      if (server === session?.target.server) ownDelay.published(id, started);
    },
  });
  startManage(() => session?.target);
  startHistory();
  startCopyAs(() => {
    const target = session?.target;
    if (!target) return undefined;
    const { history } = fields;
    return {
      target,
      history: Number(history.value),
      catchUp: catchUp.checked,
      hasToken: Boolean(tokenFor(target.server)),
      draft: currentDraft(),
    };
  });
  setInterval(show, TICK_MS);
  subscribe();
}

start();
