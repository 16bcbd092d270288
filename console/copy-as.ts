// The dialog that shows the current request as a program, for copying.
import { copyFrom } from "./clipboard.ts";
import { byId, fieldOf, find } from "./dom.ts";
import { type Language, NOTES, type PageRequest, publishWith, subscribeWith } from "./snippets.ts";

const dialog = byId<HTMLDialogElement>("snippets");
const form = find<HTMLFormElement>(dialog, "form");
const request = fieldOf<HTMLSelectElement>(form, "request");
const language = fieldOf<HTMLSelectElement>(form, "language");
const code = find(dialog, "code");
const button = byId<HTMLButtonElement>("copy-code");

/** @param current returns the subscription and the draft of the page, or undefined if there is no subscription */
export function startCopyAs(current: () => PageRequest | undefined) {
  const show = () => {
    const wanted = current();
    const chosen = language.value as Language;
    const write = request.value === "publish" ? publishWith : subscribeWith;
    code.textContent = wanted ? write(chosen, wanted) : "subscribe to a channel first";
    const variable = wanted?.hasToken ? " TOKEN is a token for these channels." : "";
    find(dialog, ".hint").textContent = NOTES[chosen] + variable;
  };
  byId("code").addEventListener("click", () => {
    show();
    dialog.showModal();
  });
  form.addEventListener("change", show);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    dialog.close();
  });
  button.addEventListener("click", () => copyFrom(button, code.textContent ?? ""));
}
