"""What a receiver's libraries, unmodified, say of our webhooks.

Each line of standard input names a library and what it is given; each line of output is what it
accepted, or why it refused, or how the line failed for any other reason. Nothing here knows what the
answer should be.
"""

import base64
import json
import sys
import traceback

import jsonschema
import nacl.exceptions
import nacl.signing
import standardwebhooks
import telnyx


def vendor(public_key, headers, body):
    """The vendor's SDK, as its readme has it: the client knows the public key."""
    client = telnyx.Telnyx(api_key="unused", public_key=public_key)
    try:
        event = client.webhooks.unwrap(body, headers=headers)
    except ValueError as error:
        return {"refused": str(error)}
    # By attribute, as programs read it.
    read = {
        "event_type": event.data.event_type,
        "id": event.data.id,
        "occurred_at": event.data.occurred_at,
        "payload": event.data.payload,
        "record_type": event.data.record_type,
    }
    return {"accepted": {"data": read, "meta": event.meta}}


def standard(secret, headers, body):
    try:
        return {"accepted": standardwebhooks.Webhook(secret).verify(body, headers)}
    except standardwebhooks.WebhookVerificationError as error:
        return {"refused": str(error)}


def asymmetric(public_key, headers, body):
    """v1a, which no Python library of the spec knows: after the spec, with libsodium."""
    scheme, _, key = public_key.partition("_")
    assert scheme == "whpk", public_key
    key = nacl.signing.VerifyKey(base64.b64decode(key, validate=True))
    message = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    for signature in headers["webhook-signature"].split(" "):
        version, _, signature = signature.partition(",")
        if version != "v1a":
            continue
        try:
            key.verify(message, base64.b64decode(signature, validate=True))
            return {"accepted": json.loads(body)}
        except nacl.exceptions.BadSignatureError:
            pass
    return {"refused": "no matching signature"}


def schema(schema, value):
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema)
    try:
        kind(schema, format_checker=kind.FORMAT_CHECKER).validate(value)
    except jsonschema.ValidationError as error:
        return {"refused": error.message}
    return {"accepted": value}


LIBRARIES = {it.__name__: it for it in (vendor, standard, asymmetric, schema)}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = LIBRARIES[asked.pop("by")](**asked)
    except Exception:
        said = {"failed": traceback.format_exc()}
    print(json.dumps(said), flush=True)
