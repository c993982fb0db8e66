"""The commands that speak to IoT Hub's service API; fleet.registry lists them."""
