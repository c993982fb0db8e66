"""ONNX models: picture to defect, waveform to fault."""
