"""The protocols: one line each here, one file each beside it."""

from typing import Final

from modules.common.kinds import Kinds
from modules.sensors.sources.base import SourceSettings

KINDS: Final = Kinds(
    __name__,
    SourceSettings,
    {
        "opcua": "opcua.OpcUa",
        "mqtt": "mqtt.Mqtt",
        "coap": "coap.Coap",
        "http": "httppush.HttpPush",
        "serial": "serialline.SerialLine",
        "modbus-tcp": "modbus.ModbusTcp",
        "modbus-rtu": "modbus.ModbusRtu",
    },
)
