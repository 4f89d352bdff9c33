"""Takes the place of schemathesis's check that data which fits the description is accepted.

Some of it may be refused for reasons that no description of a request can hold: it names what is elsewhere, it was changed
since, its key was used before. These have problem types of their own. Whatever is refused as malformed or invalid, although
it fits, is a fault of the description or of the service.

And writes tables, of which the description says no more than that they are text.
"""

import csv
import io
import json

import schemathesis

STATES = {401, 403, 404, 409, 412, 429}
TYPES = {
    "urn:task-tracker:problem:rule",
    "urn:task-tracker:problem:foreign-cursor",
    "urn:task-tracker:problem:idempotency-key-reused",
}


@schemathesis.check
def fitting_data_is_accepted(ctx, response, case):
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return None
    if case.operation.path.endswith(".csv"):
        return None
    if response.status_code < 400 or response.status_code >= 500 or response.status_code in STATES:
        return None
    kind = response.json().get("type")
    assert kind in TYPES, f"fits the description, and was refused: {response.status_code} {response.text}"
    return None


@schemathesis.serializer("text/csv")
def table(ctx, value):
    """What is text becomes the title of a task, so that some tables are good; anything else is no table."""
    if not isinstance(value, str):
        return json.dumps(value, default=str).encode()
    text = io.StringIO()
    csv.writer(text).writerows([["title"], [value]])
    return text.getvalue().encode("utf-8", "surrogatepass")
