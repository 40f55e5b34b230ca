"""A mail server for one test, on a free port of this machine: aiosmtpd as it is from PyPI.

The one argument is JSON:
  security   "tls", "starttls" (offered), "starttls-required" or "none"
  host       whom the certificate is for; "localhost" if left out
  password   the password of "me", without whom nobody may write; none if left out
  mechanisms of AUTH that are taken; all if left out
  answers    what is answered at "MAIL", "RCPT" or "DATA" in place of taking it
  utf8       whether SMTPUTF8 is offered
  silent_at  "connect", "RCPT" or "DATA": from there on it says nothing more
  ca         the file into which the certificate of its CA goes

It prints its port. For every line on its standard input it prints what it saw: a line of JSON with
`verbs` in order, each with whether it came encrypted, and `mails`. It ends with its input.
"""

import asyncio
import base64
import json
import logging
import ssl
import sys
import warnings

import trustme
from aiosmtpd.smtp import SMTP, AuthResult

# Broken handshakes are what some tests are about.
logging.getLogger("mail.log").setLevel(logging.CRITICAL)
warnings.simplefilter("ignore")

asked = json.loads(sys.argv[1])
seen = {"verbs": [], "mails": []}


class Watched(SMTP):
    """Notes each verb before it is answered."""

    def note(self, verb):
        secure = self.transport.get_extra_info("ssl_object") is not None
        seen["verbs"].append([verb, secure])


def watched(verb):
    async def method(self, arg):
        self.note(verb)
        return await getattr(SMTP, f"smtp_{verb}")(self, arg)

    original = getattr(SMTP, f"smtp_{verb}")
    method.__dict__.update(original.__dict__)
    return method


for verb in ["EHLO", "HELO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]:
    setattr(Watched, f"smtp_{verb}", watched(verb))


async def answer(verb):
    if asked.get("silent_at") == verb:
        await asyncio.sleep(3600)
    return asked.get("answers", {}).get(verb)


class Mailbox:
    async def handle_MAIL(self, server, session, envelope, address, options):
        refusal = await answer("MAIL")
        if refusal:
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(self, server, session, envelope, address, options):
        refusal = await answer("RCPT")
        if refusal:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        refusal = await answer("DATA")
        if refusal:
            return refusal
        seen["mails"].append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "options": envelope.mail_options,
                "login": session.auth_data.login.decode() if session.auth_data else None,
                "mail": base64.b64encode(envelope.original_content).decode(),
            }
        )
        return "250 2.0.0 Ok: queued"


def log_in(server, session, envelope, mechanism, data):
    right = data.login == b"me" and data.password == asked["password"].encode()
    return AuthResult(success=right, handled=right, auth_data=data)


async def silence(reader, writer):
    await asyncio.sleep(3600)


async def main():
    ca = trustme.CA()
    ca.cert_pem.write_to_path(asked["ca"])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(asked.get("host", "localhost")).configure_cert(tls)
    security = asked["security"]
    wanted = {"enable_SMTPUTF8": asked.get("utf8", False), "hostname": "mail.example"}
    if security.startswith("starttls"):
        wanted.update(tls_context=tls, require_starttls=security == "starttls-required")
    if "password" in asked:
        wanted.update(authenticator=log_in, auth_required=True)
        # Over a wrapped connection it does not know that there is TLS.
        wanted.update(auth_require_tls=security.startswith("starttls"))
        every = {"PLAIN", "LOGIN"}
        wanted.update(auth_exclude_mechanism=every - set(asked.get("mechanisms", every)))
    loop = asyncio.get_running_loop()
    wrapper = tls if security == "tls" else None
    if asked.get("silent_at") == "connect":
        server = await asyncio.start_server(silence, "127.0.0.1", 0)
    else:
        server = await loop.create_server(
            lambda: Watched(Mailbox(), loop=loop, **wanted), "127.0.0.1", 0, ssl=wrapper
        )
    print(server.sockets[0].getsockname()[1], flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(seen), flush=True)


asyncio.run(main())
