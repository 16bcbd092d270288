// The event types that the tests of clients listen to. Node uses this module, and esbuild bundles it for pages.

/** Messages without a type, and all notices. */
export const EVENT_TYPES = ["message", "hub.open", "hub.gap", "hub.dropped", "hub.end", "hub.expired", "hub.error"];
