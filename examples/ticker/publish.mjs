// Publishes prices to channel ticker, one event of each symbol a second. The symbol is the type of the event.
import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "sse-broadcaster";

const { HUB = "http://127.0.0.1:8080", TOKEN } = process.env;
const hub = connect(HUB, { token: TOKEN });
const prices = { ACME: 100, GLOBEX: 250, INITECH: 40 };

for (;;) {
  for (const symbol of Object.keys(prices)) {
    prices[symbol] *= 0.99 + Math.random() / 50;
    await hub.publish("ticker", prices[symbol].toFixed(2), { type: symbol });
  }
  await sleep(1_000);
}
