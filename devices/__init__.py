"""Leaf devices for trying the line out: replay of real recordings, physical simulators."""
