// Copying text, also on a page that was loaded by http from another machine, where browsers offer no Clipboard API.

/** Copies a text. Returns whether that succeeded. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyWithSelection(text);
  }
}

function copyWithSelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "hidden";
  area.ariaHidden = "true";
  const focused = document.activeElement;
  // A modal dialog makes everything outside of it inert.
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return copied;
}

/** Copies a text, and says on the button for two seconds whether that succeeded. */
export async function copyFrom(button: HTMLButtonElement, text: string): Promise<void> {
  button.dataset.label ??= button.textContent ?? "";
  const { label } = button.dataset;
  button.textContent = (await copyText(text)) ? "Copied" : "Not copied";
  setTimeout(() => {
    button.textContent = label ?? "";
  }, 2_000);
}
