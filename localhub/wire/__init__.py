"""MQTT 3.1.1 as IoT Edge speaks it: packets, property bags and topics, with no I/O."""
