"""The checker of parts that a file registers: `nnrun check mylayer.py`.

Each kind of part has a list of checks: shapes, values, gradients by differences, and what training
asks of it. A wrong gradient is compared with those of the usual mistakes, tried one after the other
on the right one, so that the message can name the mistake.
"""
