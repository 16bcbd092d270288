// A page with React that uses the hook of the client. esbuild bundles this file into a script.
import { createElement as element, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "../../build/client/index.js";
import { useChannel } from "../../build/client/react.js";

/** @type {any} */
const page = window;
page.ended = [];
page.renders = 0;

function Feed({ hub, channels, options }) {
  const { events, last, status } = useChannel(hub, channels, {
    ...options,
    // A new function in each render.
    onEnd: (channel) => page.ended.push(channel),
  });
  page.renders++;
  return element(
    "div",
    null,
    element("p", { id: "status" }, `${status.state}: ${status.reason}`),
    element("p", { id: "last" }, last ? JSON.stringify(last.data) : "none"),
    element(
      "ul",
      null,
      events.map(({ channel, id, data }) => element("li", { key: channel + id }, `${channel} ${JSON.stringify(data)}`)),
    ),
  );
}

function App({ url, token }) {
  const [hub] = useState(() => connect(url, { token }));
  const [feed, setFeed] = useState(null);
  page.show = setFeed;
  return feed && element(Feed, { hub, ...feed });
}

/** Shows the page. `window.show` then mounts a feed with `channels` and `options`, or unmounts it. */
page.begin = (url, token) => {
  const root = document.body.appendChild(document.createElement("main"));
  createRoot(root).render(element(StrictMode, null, element(App, { url, token })));
};
