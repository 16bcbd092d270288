// The server of the dashboard: it signs tokens, starts jobs, and asks the hub how many pages are open.
import { randomUUID } from "node:crypto";
import { connect } from "sse-broadcaster";
import { countPrimes } from "../job-progress/primes.mjs";
import { sign, startSite } from "../token-server/site.mjs";

const { HUB = "http://127.0.0.1:8080", LIMIT = "10000000" } = process.env;
const hub = connect(HUB, { token: () => sign({ publish: ["feed", "user.*", "job.*"] }) });

/** The channels of the jobs that run, by user. A user has one job at a time. */
const jobs = new Map();

/** Starts a job of a user, unless one is running. Returns its channel. */
function startJob(user) {
  if (!jobs.has(user)) {
    jobs.set(user, `job.${user}.${randomUUID()}`);
    runJob(user, jobs.get(user))
      .catch(console.error)
      .finally(() => jobs.delete(user));
  }
  return jobs.get(user);
}

async function runJob(user, job) {
  await hub.publish("feed", `${user} counts primes`);
  await countPrimes(hub, job, Number(LIMIT));
  await hub.publish(`user.${user}`, "Your primes are counted");
}

startSite({
  page: new URL("index.html", import.meta.url),
  subscribe: (user) => ["feed", `user.${user}`, `job.${user}.*`],
  routes: {
    "POST /job": startJob,
    "GET /listening": async () => String((await hub.stats("feed")).subscribers),
  },
});
