"""The outputs: one line each here, one file each beside it."""

from importlib import import_module
from typing import Final

from modules.alarms.outputs.base import OutputSettings

KINDS: Final = {
    "gpio": "gpio.Gpio",
    "modbus-tcp": "modbus.ModbusTcp",
    "modbus-rtu": "modbus.ModbusRtu",
    "opcua": "opcua.OpcUa",
    "mqtt": "mqtt.MqttTopic",
    "mqtt-switch": "mqtt.MqttSwitch",
    "webhook": "webhook.Webhook",
    "email": "email.Email",
}
"""What `type` says in an output's settings, and the class of its settings: file and name."""


def settings_of(kind: object) -> type[OutputSettings]:
    """The settings of a kind; its library is imported now, not before. Raises ValueError for a kind there is not."""
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"type must be one of {', '.join(KINDS)}")
    file, _, name = KINDS[kind].partition(".")
    found: type[OutputSettings] = getattr(import_module(f"{__name__}.{file}"), name)
    return found
