#!/usr/bin/env bash
# Publishes foo=bar to channel foo, and prints the receipt. curl repeats the request if it gets no answer, or a 429 or
# 5xx. All attempts have the same key, so the hub publishes the event once.
set -euo pipefail
answer=$(curl --silent --show-error --max-time 10 --retry 5 --retry-all-errors --write-out '%{http_code}' \
  --header "Authorization: Bearer $TOKEN" --header "Idempotency-Key: $(openssl rand -hex 16)" \
  --data foo=bar "$HUB/channels/foo/broadcast")
# The last line is the status, and the one before it is the receipt. Before it are the bodies of failed attempts.
bodies=${answer%$'\n'*} status=${answer##*$'\n'}
if [ "$status" != 200 ]; then
  echo "$bodies" >&2
  exit 1
fi
echo "${bodies##*$'\n'}"
