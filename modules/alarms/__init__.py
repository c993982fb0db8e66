"""The alarms module: alerts in; relay, coil, node, topic, webhook and mail out."""
