"""The sensors module: factory protocols in; readings and waveforms out."""
