// What tests read and do on the page of the console. They find things as a user does: by labels, names and texts.

/** @typedef {import("playwright-core").Page} Page */

/**
 * Waits until the page's status has this text.
 * @param {Page} page
 * @param {string | RegExp} text
 */
export const waitForStatus = (page, text) => page.locator("#status", { hasText: text }).waitFor();

/**
 * Returns the field with this label.
 * @param {Page} page
 * @param {string} label
 */
export const field = (page, label) => page.getByLabel(label, { exact: true });

/** @param {Page} page */
export const connectionState = (page) => page.locator("#status").getAttribute("data-state");

/**
 * Waits until the log has one row, and only one, with this type and this text in its data.
 * @param {Page} page
 * @param {string} text `<type>: <part of the data>`
 */
export function waitForItem(page, text) {
  const [, type, data] = text.match(/^(\S+): (.*)$/s) ?? [];
  const ofType = page.locator(".type", { hasText: new RegExp(`^${type.replaceAll(".", "\\.")}$`) });
  const withData = page.locator(".data", { hasText: data });
  return page.locator("#rows .row", { has: ofType }).filter({ has: withData }).waitFor();
}

/**
 * Waits until a receipt or a failure of a publish has this text.
 * @param {Page} page
 * @param {string | RegExp} text
 */
export const waitForReceipt = (page, text) => page.locator("#receipts li", { hasText: text }).first().waitFor();

/**
 * Returns the events and notices of the log, oldest first, each as [channel, `<type>: <data>`, id]. The channel or the
 * id is undefined if the row has none.
 * @param {Page} page
 */
export function items(page) {
  return page.locator("#rows .row:is([data-kind=event], [data-kind=notice])").evaluateAll((all) =>
    all
      .reverse()
      .map((row) => ["channel", "type", "data", "id"].map((part) => row.querySelector(`.${part}`)?.textContent))
      .map(([channel, type, data, id]) => [channel, `${type}: ${data}`, id]),
  );
}

/**
 * Returns the events and notices of the log as `<type>: <data>`, oldest first.
 * @param {Page} page
 */
export const itemTexts = async (page) => (await items(page)).map(([, text]) => text);

/**
 * Returns the receipts and failures of publishes, oldest first, each as [channel, text, id].
 * @param {Page} page
 */
export function receipts(page) {
  return page
    .locator("#receipts li")
    .evaluateAll((all) =>
      all
        .reverse()
        .map((item) => ["channel", "outcome", "id"].map((part) => item.querySelector(`.${part}`)?.textContent)),
    );
}

/** @param {Page} page */
export const logRows = (page) => page.locator("#rows .row");

/**
 * Returns the data of the events in the log, the newest first.
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export const eventData = (page) => page.locator("#rows .row[data-kind=event] .data").allTextContents();

/** @param {Page} page */
export const notices = (page) => page.locator("#rows .row[data-kind=notice]");

/**
 * Counts the requests of a page for the stream of a channel, from now on.
 * @param {Page} page
 * @param {string} url the URL of the channel
 * @returns {number[]} the times of the requests
 */
export function countStreams(page, url) {
  const times = [];
  page.on("request", (request) => {
    const { origin, pathname } = new URL(request.url());
    if (request.method() === "GET" && origin + pathname === url) times.push(Date.now());
  });
  return times;
}

/**
 * Enters a token, if there is one, and clicks Subscribe.
 * @param {Page} page
 * @param {string} [token]
 */
export async function clickSubscribe(page, token) {
  if (token !== undefined) await field(page, "Token").fill(token);
  await page.getByRole("button", { name: "Subscribe", exact: true }).click();
}

/**
 * Enters a message and clicks Broadcast.
 * @param {Page} page
 * @param {string} data
 */
export async function clickBroadcast(page, data) {
  await field(page, "Message").fill(data);
  await page.getByRole("button", { name: "Broadcast" }).click();
}
