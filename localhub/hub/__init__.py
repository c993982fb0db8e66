"""The stand-in for edgeHub: an MQTT broker with durable queues, routes, twins and direct methods."""
