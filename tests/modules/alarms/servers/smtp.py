"""A mail server: `PORT MAILBOX [CERTIFICATE KEY]`. Lines in: an answer to all mails, as "550 no", or "" to take them.

With a certificate it offers STARTTLS and wants a login. What it takes goes to MAILBOX, a line of JSON each.
"""

import json
import ssl
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

ANSWER = {"text": ""}


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def note(mail: dict[str, Any]) -> None:
    with Path(sys.argv[2]).open("a") as file:
        file.write(json.dumps(mail) + "\n")


class Mailbox:
    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if ANSWER["text"]:
            return ANSWER["text"]
        mail = {"to": envelope.rcpt_tos, "text": envelope.content.decode(), "tls": session.ssl is not None}
        note(mail)
        return "250 taken"

    async def handle_RCPT(  # noqa: N802 - as above
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"


def login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (b"alarms", b"guess")
    return AuthResult(success=known, handled=False)


def main(port: str, _mailbox: str, *pair: str) -> None:
    more: dict[str, Any] = {}
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        more = {"tls_context": context, "require_starttls": True, "authenticator": login, "auth_required": True}
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=int(port), **more)
    controller.start()
    say("ready")
    while line := sys.stdin.readline():
        ANSWER["text"] = json.loads(line)
        say("done")


main(*sys.argv[1:])
