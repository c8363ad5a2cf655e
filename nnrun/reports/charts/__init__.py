"""Charts as SVG: scales, axes and marks, put together by pure functions of data.

Every chart is a value with a title, a text alternative, its drawing, and its numbers as a table.
"""
