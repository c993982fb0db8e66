"""Readings and waveforms in; windows, features and alerts out."""
