"""What a report says of the machine is what the run was computed with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nnrun.runs.execution.descriptions import environment, libraries, run_arithmetic

# Kernels that every processor of the kind can run, and that few would choose by themselves.
KERNELS = {"x86_64": ["Nehalem"], "aarch64": ["ARMV8"]}.get(platform.machine(), [])
SCRIPT = (
    "import json; from nnrun.runs.execution.descriptions import environment as e; "
    "print(json.dumps(e()))"
)


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_kernel_is_the_one_in_use(kernel: str):
    """Not the one that the processor would get: another that the BLAS is configured to use."""
    variables = {**os.environ, "OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=variables, capture_output=True, text=True, check=True
    )
    there, here = json.loads(done.stdout), environment()
    assert kernel == there["blas_kernel"]
    assert {"blas_kernel"} >= {key for key in here if here[key] != there[key]}


def test_the_kernel_is_what_the_library_says():
    """The BLAS that NumPy brought is asked, and NumPy for the vectors that it found."""
    known = {library.get("architecture") for library in threadpool_info()}
    assert environment()["blas_kernel"] in known
    assert environment()["vectors"].split()


def test_a_run_has_one_thread_of_blas_and_gives_the_others_back():
    """One thread means one order of sums."""

    def threads() -> set[int]:
        return {blas.num_threads for blas in libraries().lib_controllers}

    with threadpool_limits(2, user_api="blas"):
        assert {2} == threads()
        with run_arithmetic():
            assert {1} == threads()
        assert {2} == threads()


PLATFORM = """
import sys
from nnrun.runs.execution import descriptions

sys.addaudithook(lambda event, _: event == "subprocess.Popen" and print("a process"))
print(descriptions._platform())
"""


def test_the_platform_is_what_python_says_but_no_process_is_started():
    """Python starts one for the processor's name, which takes longer than most runs."""
    done = subprocess.run(
        [sys.executable, "-c", PLATFORM], capture_output=True, text=True, check=True
    )
    assert f"{platform.platform()}\n" == done.stdout
    assert platform.platform() == environment()["platform"]
