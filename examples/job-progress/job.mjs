// Runs a job, and publishes its progress to a channel of its own: node job.mjs [CHANNEL [LIMIT]]
import { connect } from "sse-broadcaster";
import { countPrimes } from "./primes.mjs";

const [channel = "job.4711", limit = "10000000"] = process.argv.slice(2);
const { HUB = "http://127.0.0.1:8080", TOKEN } = process.env;

await countPrimes(connect(HUB, { token: TOKEN }), channel, Number(limit));
