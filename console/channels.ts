// The list of the channels, if the subscription has several: the state of each one and the number of its events.
import { byId, count, find, make, setText } from "./dom.ts";

type State = "connecting" | "open" | "ended" | "not available";

/** The kind of situation that gives a state its colour. */
const COLOURS: Record<State, string> = {
  connecting: "connecting",
  open: "open",
  ended: "ended",
  "not available": "refused",
};

interface Line {
  item: HTMLLIElement;
  events: number;
}

export class ChannelList {
  #lines = new Map<string, Line>();

  /** Makes a line for each channel, if there are several. */
  constructor(channels: readonly string[]) {
    for (const channel of channels.length > 1 ? channels : []) {
      const item = make("li");
      const id = make("span", "id");
      id.ariaHidden = "true";
      item.append(
        make("span", "channel", channel),
        make("span", "state"),
        make("span", "count", count(0, "event")),
        id,
      );
      this.#lines.set(channel, { item, events: 0 });
      this.#show(channel, "connecting");
    }
    byId("channels").replaceChildren(...[...this.#lines.values()].map(({ item }) => item));
    byId("channel-list").hidden = this.#lines.size === 0;
  }

  /** The name of a channel, or "" if there is only one. */
  nameOf(channel: string): string {
    return this.#lines.has(channel) ? channel : "";
  }

  /** Counts an event of a channel. */
  event(channel: string, id: string) {
    const line = this.#lines.get(channel);
    if (!line) return;
    line.events += 1;
    setText(find(line.item, ".count"), count(line.events, "event"));
    setText(find(line.item, ".id"), id);
    this.#show(channel, "open");
  }

  ended(channel: string) {
    this.#show(channel, "ended");
  }

  failed(channel: string) {
    this.#show(channel, "not available");
  }

  /** The stream is open. A `hub.error` for each channel that is not available follows. */
  opened() {
    for (const [channel, { item }] of this.#lines) {
      if (find(item, ".state").textContent === "connecting") this.#show(channel, "open");
    }
  }

  #show(channel: string, state: State) {
    const line = this.#lines.get(channel);
    if (!line) return;
    line.item.dataset.state = COLOURS[state];
    setText(find(line.item, ".state"), state);
  }
}
