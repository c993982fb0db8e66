"""The outputs: one line each here, one file each beside it."""

from typing import Final

from modules.alarms.outputs.base import OutputSettings
from modules.common.kinds import Kinds

KINDS: Final = Kinds(
    __name__,
    OutputSettings,
    {
        "gpio": "gpio.Gpio",
        "modbus-tcp": "modbus.ModbusTcp",
        "modbus-rtu": "modbus.ModbusRtu",
        "opcua": "opcua.OpcUa",
        "mqtt": "mqtt.MqttTopic",
        "mqtt-switch": "mqtt.MqttSwitch",
        "webhook": "webhook.Webhook",
        "email": "email.Email",
    },
)
