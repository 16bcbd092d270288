// What the tests put into the pages that they open in a browser.
interface Window {
  source: EventSource;
  /** What the page has received. */
  received: string[] | string[][] | Promise<string>;
  /** How many times its EventSource has opened a stream. */
  opened: number;
  /** Reports a directive of the Content-Security-Policy that something on the page has violated. */
  violated(directive: string): void;
}
