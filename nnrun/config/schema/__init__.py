"""The config language: its blocks and fields, their validation and their JSON Schema.

`block` has what all blocks share, with the messages of unknown and missing keys; `fields` has the
kinds of values and their messages; `pydantic_errors` makes sentences of all of them.
"""
