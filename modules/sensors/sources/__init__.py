"""The protocols: one line each here, one file each beside it."""

from importlib import import_module
from typing import Final

from modules.sensors.sources.base import SourceSettings

KINDS: Final = {
    "opcua": "opcua.OpcUa",
    "mqtt": "mqtt.Mqtt",
    "coap": "coap.Coap",
    "http": "httppush.HttpPush",
    "serial": "serialline.SerialLine",
    "modbus-tcp": "modbus.ModbusTcp",
    "modbus-rtu": "modbus.ModbusRtu",
}
"""What `type` says in a source's settings, and the class of its settings: file and name."""


def settings_of(kind: object) -> type[SourceSettings]:
    """The settings of a kind; its library is imported now, not before. Raises ValueError for a kind there is not."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"type must be one of {', '.join(KINDS)}")
    file, _, name = KINDS[kind].partition(".")
    found: type[SourceSettings] = getattr(import_module(f"{__name__}.{file}"), name)
    return found
