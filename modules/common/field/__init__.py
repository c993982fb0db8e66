"""Machines beside the gateway: how a far end is reached, for what reads it (sensors) and what acts on it (alarms).

A protocol is one file; its library is imported by that file alone, and so only where a far end of its kind is set.
"""
