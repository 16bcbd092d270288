// What the console uses of the client.
export {
  connect,
  type Hub,
  HubError,
  type HubEvent,
  type Missing,
  type Status,
  type Subscription,
} from "../client/src/index.ts";
