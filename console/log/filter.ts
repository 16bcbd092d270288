// The filters of the log: by text and by event type.
import { setParameters } from "../address.ts";
import { byId, make } from "../dom.ts";
import type { Entry, Filter } from "./store.ts";

/** How many types have a button. Others can be found by text. */
const MAX_TYPES = 40;
/** The time between the last key press and the change of the list. */
const TYPING_MS = 150;

export class Filters {
  /** Each type that has a button. */
  #buttons = new Map<string, HTMLButtonElement>();
  #selected = new Set<string>();
  #group = byId("types");
  #text = byId<HTMLInputElement>("filter");
  #apply: (filter: Filter) => void;

  /** @param selected the parameter of the address: encoded types with commas between them */
  constructor(selected: string, apply: (filter: Filter) => void) {
    this.#apply = apply;
    let timer: ReturnType<typeof setTimeout>;
    this.#text.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#change(), TYPING_MS);
    });
    for (const type of selected.split(",").map(decodeType)) {
      if (!type) continue;
      this.#selected.add(type);
      this.note(type);
    }
    this.#change();
  }

  /** Makes a button for a type that has not occurred yet. */
  note(type: string) {
    if (this.#buttons.has(type) || this.#buttons.size >= MAX_TYPES) return;
    const button = make("button", "", type);
    button.type = "button";
    button.ariaPressed = String(this.#selected.has(type));
    button.addEventListener("click", () => this.#toggle(type, button));
    this.#buttons.set(type, button);
    this.#group.append(button);
    this.#group.hidden = this.#buttons.size < 2 && this.#selected.size === 0;
  }

  #toggle(type: string, button: HTMLButtonElement) {
    if (!this.#selected.delete(type)) this.#selected.add(type);
    button.ariaPressed = String(this.#selected.has(type));
    setParameters({ types: [...this.#selected].map(encodeType).join(",") });
    this.#change();
  }

  #change() {
    const words = this.#text.value.trim().toLowerCase();
    const selected = new Set(this.#selected);
    this.#apply((entry) => hasType(entry, selected) && hasText(entry, words));
  }
}

// Commas separate the types in the address, so a comma within a type is encoded.
const encodeType = (type: string) => type.replaceAll("%", "%25").replaceAll(",", "%2C");
const decodeType = (text: string) => text.trim().replaceAll("%2C", ",").replaceAll("%25", "%");

/** Notices and changes of the connection are about all types. */
const hasType = ({ kind, type }: Entry, selected: Set<string>) =>
  kind !== "event" || selected.size === 0 || selected.has(type);

function hasText({ channel, type, id, data }: Entry, words: string): boolean {
  return !words || [data, type, channel, id].some((text) => text.toLowerCase().includes(words));
}
