"""What runs on the gateway: one package, one container, one job each."""
