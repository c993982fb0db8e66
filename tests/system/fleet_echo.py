"""A gateway's only module: counts upstream, echoes methods, and says which model it was given."""

import asyncio
import os
import signal
import uuid
from typing import Any

from azure.iot.device import Message, MethodResponse
from azure.iot.device.aio import IoTHubModuleClient


async def main() -> None:
    client = IoTHubModuleClient.create_from_edge_environment(connection_retry_interval=1)
    boot, stop, count = uuid.uuid4().hex[:8], asyncio.Event(), 0
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def method(request: Any) -> None:
        await client.send_method_response(MethodResponse(request.request_id, 200, request.payload))

    async def desired(patch: Any) -> None:
        await client.patch_twin_reported_properties({"model": patch.get("model")})

    async def send(text: str, message_id: str) -> None:
        message = Message(text, message_id, "utf-8", "application/json")  # type: ignore[no-untyped-call]
        message.custom_properties = {"kind": "count", "boot": boot, "version": os.environ["VERSION"]}
        await client.send_message_to_output(message, "counts")

    client.on_method_request_received, client.on_twin_desired_properties_patch_received = method, desired
    await client.connect()
    await desired((await client.get_twin())["desired"])
    while not stop.is_set():
        count += 1
        await send(f'{{"count": {count}}}', f"{boot}-{count}")
        await asyncio.sleep(0.2)
    await send(f'{{"sent": {count}}}', f"{boot}-last")  # what was sent has been acknowledged by now
    await client.shutdown()


asyncio.run(main())
