"""The parts of charts: scales, axes, marks, colours, pictures and SVG elements.

The charts themselves, pure functions of data, are in `kinds`.
"""
