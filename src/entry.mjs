// The entry module of the Worker: a hub that answers all requests.
import { answerClient } from "./hub.mjs";

export { Channel } from "./hub.mjs";

export default { fetch: answerClient };
