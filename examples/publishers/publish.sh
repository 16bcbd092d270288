#!/usr/bin/env bash
# Publishes foo=bar to channel foo, and prints the receipt. curl repeats the request if it gets no answer, or a 429 or
# 5xx. All attempts have the same key, so the hub publishes the event once.
set -euo pipefail
answer=$(curl --silent --show-error --max-time 10 --retry 5 --retry-all-errors --write-out '%{http_code}' \
  --header "Authorization: Bearer $TOKEN" --header "Idempotency-Key: $(openssl rand -hex 16)" \
  --data foo=bar "$HUB/channels/foo/broadcast")
body=${answer%???} status=${answer: -3}
if [ "$status" != 200 ]; then
  echo "$body" >&2
  exit 1
fi
echo "$body"
