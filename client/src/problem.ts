// The refusals of a hub.
import { retryAfter } from "./timing.ts";

/** Statuses below 500 after which a request may succeed later. A proxy may answer for the hub with 200 and a page. */
const TEMPORARY = [200, 408, 425, 429];

/** A refusal of the hub: its status, and the members of the problem (RFC 9457). `message` is the detail. */
export class HubError extends Error {
  /** The status of the answer. Browsers report a redirect as 0. */
  declare readonly status: number;
  /** The type of the problem, or "about:blank" if the answer was not a problem. */
  declare readonly type: string;
  declare readonly title: string;
  declare readonly detail: string;
  /** When the request may succeed, in seconds, if the answer says so. */
  declare readonly retryAfter: number | undefined;
  /** The result of each channel, for a publish to several. */
  declare readonly channels: unknown;

  constructor(problem: { detail: string } & Record<string, unknown>) {
    super(problem.detail);
    this.name = "HubError";
    Object.assign(this, problem);
  }
}

/** Whether the same request may succeed later. */
export const isTemporary = ({ status }: HubError): boolean => status > 499 || TEMPORARY.includes(status);

/** Returns the error for an answer without the expected status or content. Reads the body if it may be a problem. */
export async function errorOf(response: Response): Promise<HubError> {
  const { status, statusText: title, headers } = response;
  const [detail, problem] =
    status === 200
      ? ["the answer is not from a hub"]
      : status < 400
        ? ["the hub redirects: connect to that URL"]
        : [`the answer has the status ${status}`, await response.json().catch(() => {})];
  const wait = retryAfter(headers.get("Retry-After"));
  return new HubError({ type: "about:blank", title, detail, ...problem, status, retryAfter: wait });
}
