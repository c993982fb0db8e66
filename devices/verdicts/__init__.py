"""Verdicts on machines from what reached the cloud, and from nothing else."""
