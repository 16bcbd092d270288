"""Hooks that let schemathesis test this hub: streams do not end, and OpenAPI cannot describe their blocks."""

import io
import json
import re

import jsonschema_rs
import schemathesis
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

EVENT_STREAM = "text/event-stream"
STREAM = "text/event-stream; charset=utf-8"
ID = r"(?:[A-Za-z0-9._~:@-]{1,128}/)?[0-9A-HJKMNP-TV-Z]{13}-(?:0|[1-9]\d*)(?:;[\w-]+)?"
RETRY = r"retry: (?:[23]\d{3}|4000)\n"
OPEN = rf"event: hub\.open\ndata: (?P<open>.+)\nid: {ID}\n\n"
GAP = rf"event: hub\.gap\ndata: (?P<gap>.+)\nid: {ID}\n\n"
# In a stream of several channels, some of them may have ended.
END = rf"event: hub\.end\ndata: .+\nid: {ID}\n\n"
OPENING = rf"{RETRY}(?:{END})*(?:{GAP})?{OPEN}"
ERROR = r"retry: \d{4,5}\nevent: hub\.error\ndata: (?P<error>.+)\n\n"

# A batch is sent as text.
schemathesis.serializer.alias(EVENT_STREAM, "text/plain")


def is_stream(response):
    return response.headers.get("Content-Type") == STREAM


def is_begun(text):
    """Whether text has the beginning of a stream."""
    return re.search(rb"event: hub\.(?:open|error)\n(?:.+\n)+\n", text) is not None


def cut(response):
    """Reads the beginning of a stream, closes the connection, and makes the beginning the whole response."""
    raw, text = response.raw, b""
    while not is_begun(text):
        piece = raw.read1()
        if not piece:
            break
        text += piece
    raw.close()
    response.raw = HTTPResponse(
        io.BytesIO(text), headers=response.headers, status=response.status_code, preload_content=False
    )


def send(self, request, *args, _send=HTTPAdapter.send, **kwargs):
    response = _send(self, request, *args, **kwargs)
    if request.method == "GET" and is_stream(response):
        cut(response)
    return response


# No hook sees the requests that schemathesis' own checks send, so this replaces the method itself.
HTTPAdapter.send = send


@schemathesis.hook
def before_call(context, case, kwargs):
    """Makes a publish valid in ways that OpenAPI cannot describe.

    It has one idempotency key. A batch has no parameter `event`, and at least one event. A list of channels has no
    channel twice, and does not follow the link to a request that takes one channel.
    """
    channels = (case.path_parameters or {}).get("id")
    if case.meta.generation.mode.is_positive and isinstance(channels, str):
        is_stream = case.method in ("GET", "HEAD") and case.operation.path == "/channels/{id}"
        most = None if is_stream or case.operation.path.endswith("/broadcast") else 1
        comma = "%2C" if "%2C" in channels else ","
        case.path_parameters["id"] = comma.join([*dict.fromkeys(channels.split(comma))][:most])
    if "Idempotency-Key" in (case.headers or {}):
        (case.query or {}).pop("idempotency_key", None)
    if case.media_type != EVENT_STREAM:
        return
    case.query.pop("event", None)
    batch = case.operation.schema.raw_schema["components"]["schemas"]["Batch"]["pattern"]
    is_batch = isinstance(case.body, str) and re.search(batch, case.body)
    if case.meta.generation.mode.is_positive and not is_batch:
        case.body = "data"


def conforms(value, name, description):
    """Whether a value conforms to the schema with this name."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": description["components"]}
    return jsonschema_rs.validator_for(schema).is_valid(value)


@schemathesis.check
def stream_conformance(ctx, response, case):
    """Checks the form of a stream, which OpenAPI 3.1 cannot describe and the description has in prose."""
    if case.method == "HEAD" or response.headers.get("content-type") != [STREAM]:
        return
    text = response.content.decode()
    found = re.match(ERROR, text) or re.match(OPENING, text)
    assert found, f"not the beginning of a stream: {text[:500]!r}"
    data = found.groupdict()
    if data.get("error"):
        assert conforms(json.loads(data["error"]), "ErrorNotice", case.operation.schema.raw_schema)
    if data.get("open"):
        assert conforms(json.loads(data["open"]), "PositionNotice", case.operation.schema.raw_schema)
    if data.get("gap"):
        assert conforms(json.loads(data["gap"]), "MissingNotice", case.operation.schema.raw_schema)
