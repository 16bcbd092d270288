// What the tests put into the pages that they open in a browser.
interface Window {
  source: EventSource;
  /** What the page has received. */
  // biome-ignore lint/suspicious/noExplicitAny: the tests put lists of different types here.
  received: any;
  /** What the page of token-site.mjs has shown. */
  shown: string[];
  /** How many times its EventSource has opened a stream. */
  opened: number;
  /** Subscribes with the client of this name; page-clients.mjs sets it. */
  subscribe(name: string, url: string): void;
  /** Reports a directive of the Content-Security-Policy that something on the page has violated. */
  violated(directive: string): void;
}
