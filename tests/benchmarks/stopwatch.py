"""A program that runs `nnrun` and writes where its CPU time goes, as JSON, to a file.

`python stopwatch.py FILE CHECKOUT ARGUMENT...`. Time within a module that is imported, or within a
function of `PARTS`, is that of the innermost one.
"""

import atexit
import json
import sys
import time
from importlib.machinery import ExtensionFileLoader, SourceFileLoader

# By module: functions, and what their time is called.
PARTS = {
    "nnrun.config.load": {"load_config": "the config is read and checked"},
    "nnrun.runs.preparation.prepare": {
        "prepare": "data, split, scaling, the shapes of the network"
    },
    "nnrun.engines.selection": {"build_engine": "compiled code is taken from the cache"},
    "nnrun.runs.execution.execute": {
        "check_engine": "it is compared with NumPy",
        "execute": "updates, evaluations and metrics",
    },
    "nnrun.runs.execution.descriptions": {"environment": "versions, processor and BLAS are noted"},
    "nnrun.runs.storage.durable": {"write_together": "files are written"},
    "nnrun.runs.storage.staged": {"commit": "files are written"},
    "nnrun.reports.run": {"report_markdown": "the report as Markdown"},
    "nnrun.cli.output": {"Output.show": "the report on the terminal"},
}
PACKAGES = {
    "click": "click",
    "llvmlite": "LLVM",
    "nnrun": "nnrun's own modules",
    "numpy": "NumPy",
    "annotated_types": "pydantic",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic",
    "typing_extensions": "pydantic",
    "typing_inspection": "pydantic",
    "rich": "rich",
    "sqlite3": "Python's library",
    "yaml": "PyYAML",
    "safetensors": "other packages",
    "threadpoolctl": "other packages",
    "platformdirs": "other packages",
    "markupsafe": "other packages",
    "psutil": "other packages",
}
START, REST = "Python itself", "all else of nnrun"
taken = {START: time.process_time()}
around = [REST]
since = time.process_time()


def switch() -> None:
    """Count the time since the last switch."""
    global since  # noqa: PLW0603  # of this program
    now = time.process_time()
    taken[around[-1]] = taken.get(around[-1], 0.0) + now - since
    since = now


def counted(label, call):
    """The function, with its time counted."""

    def counting(*arguments, **named):
        switch()
        around.append(label)
        try:
            return call(*arguments, **named)
        finally:
            switch()
            around.pop()

    return counting


def imported(name: str) -> str:
    package = PACKAGES.get(name.partition(".")[0], "Python's library")
    return f"import: {package}"


def watch(kind, method: str) -> None:
    """Count what a loader of modules does."""
    original = getattr(kind, method)

    def watching(self, subject):
        name = getattr(subject, "__name__", None) or subject.name
        result = counted(imported(name), original)(self, subject)
        for place, label in PARTS.get(name, {}).items():
            *within, function = place.split(".")
            holder = vars(sys.modules[name])[within[0]] if within else sys.modules[name]
            setattr(holder, function, counted(label, getattr(holder, function)))
        return result

    setattr(kind, method, watching)


def write(path: str) -> None:
    switch()
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"modules": len(sys.modules), "taken": taken}, file)


def main() -> None:
    path, checkout, *words = sys.argv[1:]
    sys.path[0] = checkout
    sys.argv = ["nnrun", *words]
    atexit.register(write, path)
    watch(SourceFileLoader, "exec_module")
    watch(ExtensionFileLoader, "create_module")
    watch(ExtensionFileLoader, "exec_module")
    from nnrun.__main__ import main as run

    run()


main()
