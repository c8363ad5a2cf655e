"""Blocks of configs."""

from __future__ import annotations

import json
import subprocess
import sys

INCOMPLETE = """
import json
from nnrun.config.schema.block import Block
from nnrun.config.schema.experiment import ExperimentConfig

def blocks(base):
    for block in base.__subclasses__():
        yield block
        yield from blocks(block)

found = {block.__name__: block.__pydantic_fields_complete__ for block in blocks(Block)}
print(json.dumps(found))
"""


def test_fields_of_blocks_are_known_before_a_config_is_read():
    """A block that is defined below its use could not be validated alone, in a new process."""
    words = [sys.executable, "-c", INCOMPLETE]
    found = json.loads(subprocess.check_output(words, text=True))
    assert "TrainingConfig" in found
    assert [] == [name for name, complete in found.items() if not complete]
