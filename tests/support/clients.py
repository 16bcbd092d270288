"""Subscribes with a Python client, and prints each message that the client returns.

Usage: clients.py NAME URL. A line of the output is "received " and a JSON list of type, data and id. (sseclient prints
lines of its own.)
"""

import asyncio
import json
import sys


def note(message):
    print("received", json.dumps([message.event, message.data, message.id or ""]), flush=True)


def httpx_sse(url):
    import httpx
    from httpx_sse import connect_sse

    with httpx.Client(timeout=None) as client, connect_sse(client, "GET", url) as source:
        for message in source.iter_sse():
            note(message)


def sseclient(url):
    from sseclient import SSEClient

    for message in SSEClient(url):
        note(message)


def sseclient_py(url):
    import requests
    from sseclient import SSEClient

    for message in SSEClient(requests.get(url, stream=True)).events():
        note(message)


def aiosseclient(url):
    from aiosseclient import aiosseclient

    async def listen():
        async for message in aiosseclient(url):
            note(message)

    asyncio.run(listen())


CLIENTS = {
    "httpx-sse": httpx_sse,
    "sseclient": sseclient,
    "sseclient-py": sseclient_py,
    "aiosseclient": aiosseclient,
}

_, name, url = sys.argv
try:
    CLIENTS[name](url)
except Exception as error:
    print("received", json.dumps(["failed", repr(error), ""]), flush=True)
