#!/usr/bin/env python3
"""Publishes the form {"foo": "bar"} --count times. Needs the package requests."""
import argparse
import os
import sys
from urllib.parse import quote

try:
    import requests
except ModuleNotFoundError:
    lines = ["python3 -m venv .venv", ".venv/bin/pip install requests", f".venv/bin/python {sys.argv[0]}"]
    sys.exit("\n  ".join(["This needs the package requests (Debian: apt-get install python3-venv, then):", *lines]))

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--url", default="http://127.0.0.1:8080", help="the URL of the hub (default: %(default)s)")
options.add_argument("--channel", default="foo", help="the channel's id (default: %(default)s)")
options.add_argument("--count", type=int, default=10, help="the number of events (default: %(default)s)")
options.add_argument("--token", default=os.environ.get("TOKEN"), help="a token that allows to publish (default: $TOKEN)")
options = options.parse_args()
headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
url = f"{options.url.rstrip('/')}/channels/{quote(options.channel, safe='')}/broadcast"
for number in range(1, options.count + 1):
    try:
        response = requests.post(url, data={"foo": "bar"}, headers=headers, timeout=10)
        response.raise_for_status()
        print(response.json())
    except requests.RequestException as error:
        detail = getattr(error.response, "text", "")
        raise SystemExit(f"event {number} of {options.count} was not published: {error} {detail}")
