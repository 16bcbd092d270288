// Gives each signed-in user tokens for the news and for a channel of their own.
import { startSite } from "./site.mjs";

startSite({
  page: new URL("index.html", import.meta.url),
  subscribe: (user) => ["news", `user.${user}`],
});
