"""The config language: the blocks of an experiment, their validation and their JSON Schema.

`experiment` holds all blocks; `data` has the block of the data, and `base` what blocks are made of.
"""
