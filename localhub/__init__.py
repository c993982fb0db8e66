"""One machine's stand-in for IoT Edge and IoT Hub: same manifest, same protocols."""
