"""Federated learning: gateways train a model's last layer on what people said there, and only that layer travels."""
