"""What blocks of a config are made of: fields, their kinds of values, and the messages of mistakes.

`block` has what all blocks share, with the messages of unknown and missing keys; `fields` has the
kinds of values and their messages; `from_signature` makes blocks of the tables of `nnrun.nn`;
`pydantic_errors` makes sentences of all errors.
"""
