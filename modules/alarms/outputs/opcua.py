"""An OPC UA node: written, and believed when it reads back (asyncua)."""

from typing import Final, Literal

from asyncua import Client, ua
from asyncua.common.node import Node
from pydantic import Field, field_validator

from modules.alarms.outputs.base import OutputError, SwitchSettings
from modules.common.field.opcua import OpcServer, check_address, close, said

_NUMBERS: Final = (
    ua.VariantType.SByte,
    ua.VariantType.Byte,
    ua.VariantType.Int16,
    ua.VariantType.UInt16,
    ua.VariantType.Int32,
    ua.VariantType.UInt32,
    ua.VariantType.Int64,
    ua.VariantType.UInt64,
)


class OpcUa(SwitchSettings, OpcServer):
    """A node that holds a truth value or a whole number (0 and 1)."""

    type: Literal["opcua"]
    node: str = Field(title="Node", description="ns=2;s=Press.Alarm or nsu=urn:press;s=Alarm", max_length=1000)

    @field_validator("node")
    @classmethod
    def _is_node(cls, node: str) -> str:
        return check_address(node)

    @property
    def counts(self) -> bool:
        """Where the node holds a number; which it is, its server says."""
        return True

    def make(self) -> "OpcUaSwitch":
        """The switch of this node."""
        return OpcUaSwitch(self)


class OpcUaSwitch:
    """One node. The connection stays open, so that an alarm need not wait for it."""

    remark = ""

    def __init__(self, settings: OpcUa) -> None:
        self._settings = settings
        self._client: Client | None = None
        self._node: Node | None = None
        self._kind = ua.VariantType.Boolean

    async def show(self, level: int) -> None:
        """Write, and read back. Raises OutputError, FieldError."""
        try:
            node = await self._connected()
            value = bool(level) if self._kind == ua.VariantType.Boolean else level
            await node.write_value(ua.DataValue(ua.Variant(value, self._kind)))
            await self._compare(node, level)
        except (OSError, TimeoutError, ua.UaError) as error:
            raise OutputError(f"{self._settings.url}: {said(error)}") from error

    async def check(self, level: int) -> None:
        """Read back. Raises OutputError, FieldError."""
        try:
            await self._compare(await self._connected(), level)
        except (OSError, TimeoutError, ua.UaError) as error:
            raise OutputError(f"{self._settings.url}: {said(error)}") from error

    async def close(self) -> None:
        """Close the connection."""
        client, self._client, self._node = self._client, None, None
        if client is not None:
            await close(client)

    async def _compare(self, node: Node, level: int) -> None:
        found = await node.read_value()
        wanted = bool(level) if self._kind == ua.VariantType.Boolean else level
        if type(found) is not type(wanted) or found != wanted:
            raise OutputError(f"{self._settings.url}: the node reads {found!r}, it was told {wanted}")

    async def _connected(self) -> Node:
        if self._node is not None:
            return self._node
        settings = self._settings
        self._client = client = settings.client()
        await settings.connect(client)
        node = await settings.found(client, settings.node, {})
        kind = await node.read_data_type_as_variant_type()
        if kind != ua.VariantType.Boolean and kind not in _NUMBERS:
            raise OutputError(f"{settings.url}: the node holds {kind.name}, neither truth value nor whole number")
        self._node, self._kind = node, kind
        return node
