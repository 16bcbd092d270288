#!/usr/bin/env python3
"""Broadcasts {"foo": "bar"} as a form, --count times. Needs: pip install requests"""
import argparse
import os
from urllib.parse import quote

import requests

options = argparse.ArgumentParser(description=__doc__)
options.add_argument("--url", default="http://127.0.0.1:8080", help="where the hub is (%(default)s)")
options.add_argument("--channel", default="foo", help="the channel's id (%(default)s)")
options.add_argument("--count", type=int, default=10, help="how many events (%(default)s)")
options.add_argument("--token", default=os.environ.get("TOKEN"), help="one that permits to publish; default: $TOKEN")
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
        raise SystemExit(f"event {number} of {options.count} was not broadcast: {error} {detail}")
