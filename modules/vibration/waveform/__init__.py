"""Waveforms: windows out of blocks, time features, spectra, bearing orders. No I/O; time is an argument."""
