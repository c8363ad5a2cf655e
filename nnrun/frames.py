"""Tables of pandas, where that is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def to_frame(columns: Any, **given: Any) -> Any:
    """A pandas DataFrame.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    try:
        return import_module("pandas").DataFrame(columns, **given)
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        message = "to_frame needs pandas, which is not installed: pip install pandas"
        raise ModuleNotFoundError(message, name="pandas") from None
