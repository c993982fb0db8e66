"""`fleet model`: a signed repository of model packages, and which gateways run, try or leave which version."""

from fleet.model.command import configure, run

__all__ = ["configure", "run"]
