"""PyTorch, eager, with images and kernels in the channels-last format, which its guides advise."""

from __future__ import annotations

import torch

from tests.benchmarks.layers import Conv
from tests.benchmarks.peers import pytorch
from tests.benchmarks.timing import TimedRun
from tests.benchmarks.works import Work


def prepare(work: Work, threads: int = 1) -> TimedRun | None:
    if work.batch_size == 1 or not any(isinstance(layer, Conv) for layer in work.layers):
        return None
    return pytorch.prepare(work, memory_format=torch.channels_last, threads=threads)
