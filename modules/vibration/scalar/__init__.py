"""Slow readings: statistics, flags, risk levels and windows for all sensors at once. No I/O; time is an argument."""
