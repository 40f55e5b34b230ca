"""The other side of the Confluent framing: Confluent's own Python client, writing billed events with a
schema that is not ours and reading what Tollgate wrote. One base64 record a line on the one side, one
JSON object a line on the other. It knows nothing of Tollgate's code, only the registry's address.

    peer.py write URL SUBJECT   JSON on standard input, framed records on standard output
    peer.py read URL SUBJECT    framed records on standard input, JSON on standard output
"""

import base64
import datetime
import decimal
import json
import sys
import uuid

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

# A biller's schema that grew apart from ours: another order, a field that we do not know, optional
# fields left out (profile_id, purpose, requests), cost with another precision.
THEIR_BILLED = {
    "type": "record",
    "name": "BilledEvent",
    "namespace": "tollgate",
    "fields": [
        {"name": "occurred_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "invoice", "type": {"type": "record", "name": "Invoice", "fields": [
            {"name": "number", "type": "string"},
            {"name": "lines", "type": {"type": "array", "items": "int"}},
        ]}},
        {"name": "cost", "type": {
            "type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 4}},
        {"name": "account_id", "type": "string"},
        {"name": "event_id", "type": "string"},
        {"name": "feature", "type": "string"},
        {"name": "country", "type": ["null", "string"], "default": None},
        {"name": "recipient", "type": ["null", "string"], "default": None},
    ],
}


def written(line):
    """A line of JSON as the serializer takes it."""
    record = json.loads(line)
    record["cost"] = decimal.Decimal(record["cost"])
    record["occurred_at"] = datetime.datetime.fromisoformat(record["occurred_at"])
    return record


def plain(value):
    """What JSON has no type for, as Tollgate's JSON writes it."""
    if isinstance(value, (decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds")
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value))


def named(subject):
    return lambda _context, _record, *_client: subject


def write(registry, subject):
    serializer = AvroSerializer(registry, json.dumps(THEIR_BILLED), conf={
        "auto.register.schemas": True, "subject.name.strategy": named(subject)})
    for line in sys.stdin:
        framed = serializer(written(line), SerializationContext(subject, MessageField.VALUE))
        print(base64.b64encode(framed).decode())


def read(registry, subject):
    deserializer = AvroDeserializer(registry, conf={"subject.name.strategy": named(subject)})
    for line in sys.stdin:
        context = SerializationContext(subject, MessageField.VALUE)
        print(json.dumps(deserializer(base64.b64decode(line), context), default=plain))


if __name__ == "__main__":
    client = SchemaRegistryClient({"url": sys.argv[2]})
    if sys.argv[1] == "write":
        write(client, sys.argv[3])
    elif sys.argv[1] == "read":
        read(client, sys.argv[3])
    else:
        sys.exit(__doc__)
