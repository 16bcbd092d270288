import os
import time
import uuid
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import Request, urlopen

# All attempts have the same key, so the hub publishes the event once.
headers = {"Authorization": f"Bearer {os.environ['TOKEN']}", "Idempotency-Key": str(uuid.uuid4())}
request = Request(f"{os.environ['HUB']}/channels/foo/broadcast", b"foo=bar", headers)

for attempt in range(6):
    try:
        with urlopen(request, timeout=10) as response:
            print(response.read().decode())
            break
    except (OSError, HTTPException) as error:
        refused = isinstance(error, HTTPError) and error.code != 429 and error.code < 500
        if refused or attempt == 5:
            raise
    time.sleep(2**attempt)
