"""An OPC UA server: `URL [CERTIFICATE KEY USER PASSWORD]`. Lines in are [name, value, type, status, age]."""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime, timedelta

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

logging.getLogger("asyncua").setLevel(logging.CRITICAL)

URI = "urn:millwatch:test"


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Users:
    def __init__(self, name: str, password: str) -> None:
        self._pair = name, password

    def get_user(self, *_server: object, username: str = "", password: str = "", **_more: object) -> User | None:
        return User(role=UserRole.User) if (username, password) == self._pair else None


async def main(url: str, *secrets: str) -> None:
    server = Server(user_manager=Users(*secrets[2:]) if secrets else None)
    await server.init()
    server.set_endpoint(url)
    if secrets:
        await server.load_certificate(secrets[0])
        await server.load_private_key(secrets[1])
        server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    number = await server.register_namespace(URI)
    kinds = ua.VariantType
    values = {
        "oil": ua.Variant(0.0, kinds.Double),
        "force": ua.Variant(0, kinds.Int32),
        "door": ua.Variant(False, kinds.Boolean),
        "wave": ua.Variant([0.0], kinds.Double),
        "text": ua.Variant("", kinds.String),
        "alarm": ua.Variant(False, kinds.Boolean),
        "beats": ua.Variant(0, kinds.UInt16),
    }
    nodes = {
        name: await server.nodes.objects.add_variable(ua.NodeId(f"Press.{name}", number), name, value)
        for name, value in values.items()
    }
    for name in ("alarm", "beats"):
        await nodes[name].set_writable()
    async with server:
        say("ready")
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            name, value, kind, status, age = json.loads(line)
            data = ua.DataValue(
                ua.Variant(value, ua.VariantType[kind]),
                StatusCode=ua.StatusCode(getattr(ua.StatusCodes, status)),
                SourceTimestamp=(datetime.now(UTC) - timedelta(seconds=age)).replace(tzinfo=None),
            )
            await server.iserver.write_attribute_value(nodes[name].nodeid, data)
            say("done")


asyncio.run(main(*sys.argv[1:]))
