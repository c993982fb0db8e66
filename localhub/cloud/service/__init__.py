"""IoT Hub's service REST API, as far as `azure-iot-hub` and `az iot` use it, over TLS."""
