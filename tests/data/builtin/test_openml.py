"""Data sets that have to be fetched: what is made of them, and what is said without a network."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest

from nnrun.data.splits import load_dataset
from nnrun.errors import DataError, NnrunError


def offline(*_args, **_kwargs):
    """What scikit-learn raises without a network."""
    raise URLError("Name or service not known")


@pytest.mark.parametrize(
    ("name", "advice"),
    [("mnist", "give `path:`"), ("fashion_mnist", "give `path:`"), ("california", "fetch https")],
)
def test_without_a_network_the_error_says_what_to_do(config, monkeypatch, tmp_path, name, advice):
    """scikit-learn's real functions, an empty cache and no network: exit code 1 and an advice."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", offline)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with pytest.raises(NnrunError, match=f"not known.*{advice}") as error:
        load_dataset(config(name=name))
    assert 1 == error.value.exit_code
    assert not isinstance(error.value, DataError)


def test_waiting_for_the_network_is_bounded(config, monkeypatch, tmp_path):
    """Sockets time out while a set is fetched, and only then."""
    seen = []
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(7.0)

    def fetch(*_arguments, **_kwargs):
        seen.append(socket.getdefaulttimeout())
        raise TimeoutError("timed out")

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", fetch)
    try:
        with pytest.raises(NnrunError, match="timed out"):
            load_dataset(config(name="california"))
        assert [20.0] == seen
        assert 7.0 == socket.getdefaulttimeout()
    finally:
        socket.setdefaulttimeout(before)


def test_openmls_table_becomes_images_with_mnists_split(config, monkeypatch):
    """The first 60,000 of OpenML's rows are the training set, labels are text there."""
    x = np.zeros((60002, 784))
    x[60001, 30] = 255
    y = np.array(["7"] * 60000 + ["3", "1"])
    monkeypatch.setattr(
        "sklearn.datasets.fetch_openml", lambda *_a, **_k: SimpleNamespace(data=x, target=y)
    )
    data = load_dataset(config(name="mnist"))
    assert (60000, 1, 28, 28) == data.x.shape
    assert 255 == data.x_test[1, 0, 1, 2]
    assert [3, 1] == data.y_test.tolist()
