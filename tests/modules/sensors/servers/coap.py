"""A CoAP server: `HOST PORT`. Each line in, [path, text], sets a resource; who observes is told, but of /quiet."""

import asyncio
import json
import sys

from aiocoap import CONTENT, Context, Message
from aiocoap.resource import ObservableResource, Resource, Site


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


class Value(ObservableResource):  # type: ignore[misc]  # has no types
    text = "0"

    async def render_get(self, _request: Message) -> Message:
        return Message(code=CONTENT, payload=self.text.encode())

    def tell(self) -> None:
        self.updated_state()


class Quiet(Resource):  # type: ignore[misc]  # has no types
    text = "0"

    async def render_get(self, _request: Message) -> Message:
        return Message(code=CONTENT, payload=self.text.encode())

    def tell(self) -> None:
        pass


async def main(host: str, port: str) -> None:
    resources: dict[str, Value | Quiet] = {"temp": Value(), "box": Value(), "quiet": Quiet()}
    site = Site()
    for path, resource in resources.items():
        site.add_resource([path], resource)
    await Context.create_server_context(site, bind=(host, int(port)), transports=["simplesocketserver"])
    say("ready")
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        path, text = json.loads(line)
        resources[path].text = text
        resources[path].tell()
        say("done")


asyncio.run(main(*sys.argv[1:]))
