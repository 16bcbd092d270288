// Ending and deleting a channel. Both ask first.
import { byId, fieldOf, find, make } from "./dom.ts";
import { connect } from "./hub.ts";
import { currentDraft } from "./publish.ts";
import { reasonOf, showFailure, showResult } from "./receipts.ts";
import type { Target } from "./target.ts";
import { tokenFor } from "./token.ts";
import { Transport } from "./transport.ts";

const LIMIT_MS = 15_000;

const VERBS = {
  end: "The hub sends hub.end to all streams and ends them. Stored events stay. The next publish opens the channel again.",
  delete:
    "The hub sends hub.end to all streams, ends them, and deletes all stored events and idempotency keys of the channel. This cannot be undone.",
};
type Verb = keyof typeof VERBS;
const DONE = { end: "ended", delete: "deleted" };

const dialog = byId<HTMLDialogElement>("confirm");
const form = find<HTMLFormElement>(dialog, "form");
const select = fieldOf<HTMLSelectElement>(form, "channel");
const last = fieldOf<HTMLTextAreaElement>(form, "last");
const confirm = find<HTMLButtonElement>(dialog, ".destructive");

function ask(verb: Verb, server: string, channels: readonly string[]) {
  const title = verb === "end" ? "End a channel" : "Delete a channel";
  find(dialog, "h2").textContent = title;
  find(dialog, ".verb").textContent = verb;
  find(dialog, ".effect").textContent = `${VERBS[verb]} (${server})`;
  find(dialog, ".last").hidden = verb === "delete";
  confirm.textContent = verb === "end" ? "End it" : "Delete it";
  confirm.dataset.verb = verb;
  last.value = "";
  select.replaceChildren(...channels.map((channel) => make("option", "", channel)));
  dialog.showModal();
}

async function run(verb: Verb, server: string, channel: string) {
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    const hub = connect(server, { token: tokenFor(server), fetch: new Transport().fetch });
    if (verb === "end") showResult({ channel, ...(await hub.end(channel, last.value || undefined, { signal })) });
    else showResult({ channel, events: 0, ...(await hub.delete(channel, { signal })) });
  } catch (error) {
    showFailure(channel, reasonOf(error, LIMIT_MS, `, so it is not known whether the channel was ${DONE[verb]}`));
  }
}

/** @param current returns the target of the subscription */
export function startManage(current: () => Target | undefined) {
  for (const verb of Object.keys(VERBS) as Verb[]) {
    byId(verb).addEventListener("click", () => {
      const { server } = current() ?? {};
      const { channels } = currentDraft();
      if (server && channels.length > 0) ask(verb, server, channels);
      else showFailure("", "subscribe to a channel first");
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
    const { server } = current() ?? {};
    if (event.submitter === confirm && server) run(confirm.dataset.verb as Verb, server, select.value);
  });
}
