"""Reads a mail (base64 on standard input) with Python's own parser and prints it as JSON."""

import base64
import email
import email.policy
import json
import sys

raw = base64.b64decode(sys.stdin.read())
mail = email.message_from_bytes(raw, policy=email.policy.SMTPUTF8)
defects = mail.defects + [defect for value in mail.values() for defect in value.defects]
print(
    json.dumps(
        {
            "headers": {name: str(value) for name, value in mail.items()},
            "body": mail.get_content().replace("\r\n", "\n"),
            "defects": [repr(defect) for defect in defects],
            "widest": max(map(len, raw.split(b"\r\n"))),
        }
    )
)
