"""Models in the exchange format ONNX; needs the package `onnx`, the extra `nnrun[onnx]`."""
