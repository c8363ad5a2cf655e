"""California's house values come from their archive, and nothing is unpickled on the way."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import tarfile
from urllib.error import URLError

import joblib
import numpy as np
import pytest

from nnrun.data.builtin import fetched as california
from nnrun.data.splits import load_dataset
from nnrun.errors import NnrunError

ROWS = """-122.23,37.88,41.0,880.0,129.0,322.0,126.0,8.3252,452600.0
-122.22,37.86,21.0,7099.0,1106.0,2401.0,1138.0,8.3014,358500.0
"""


def archive(text: str) -> bytes:
    """The bytes of an archive like the original."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as file:
        member = tarfile.TarInfo(california.MEMBER)
        member.size = len(text)
        file.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """scikit-learn's folder; the network serves nothing, and the archive is the small one."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    content = archive(ROWS)
    monkeypatch.setattr(california, "SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    (tmp_path / "cal_housing.tgz").write_bytes(content)
    return tmp_path


def refuse(*_arguments, **_keywords):
    raise URLError("Name or service not known")


class Trap:
    """What writes a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_numbers_are_those_of_scikit_learn(config, home):
    """Bit for bit, with its names in its order."""
    data = load_dataset(config(name="california"))
    table = np.loadtxt(io.StringIO(ROWS), delimiter=",")[:, [8, 7, 2, 3, 4, 5, 6, 1, 0]]
    joblib.dump(table, home / "cal_housing_py3.pkz", compress=6)
    from sklearn.datasets import fetch_california_housing

    expected = fetch_california_housing()
    assert np.array_equal(expected.data, data.x)
    assert np.array_equal(expected.target[:, None], data.y)
    assert tuple(expected.feature_names) == data.feature_names
    assert tuple(expected.target_names) == data.target_names


@pytest.mark.parametrize("name", ["cal_housing_py3.pkz", "cal_housing.pkz", "cal_housing.tgz"])
def test_a_planted_pickle_does_not_run(config, home, tmp_path, name):
    """Whatever stands in scikit-learn's folder, under which name ever."""
    (home / "cal_housing.tgz").unlink()
    (home / name).write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    with pytest.raises(NnrunError, match=r"not known>\); fetch https.* and put it here as"):
        load_dataset(config(name="california"))
    assert not (tmp_path / "ran").exists()


def test_an_archive_is_fetched_once(config, home, monkeypatch):
    """What has the right digest is kept, and then no network is asked."""
    content = (home / "cal_housing.tgz").read_bytes()
    (home / "cal_housing.tgz").unlink()
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_a, **_k: io.BytesIO(content))
    fetched = load_dataset(config(name="california"))
    monkeypatch.setattr("urllib.request.OpenerDirector.open", refuse)
    assert fetched.sha256 == load_dataset(config(name="california")).sha256


def test_what_is_not_the_archive_is_refused(config, home, monkeypatch):
    """As from a proxy that answers everything with a page of its own; nothing is kept."""
    (home / "cal_housing.tgz").write_bytes(archive("1,2,3"))
    page = b"<html>log in</html>"
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *_a, **_k: io.BytesIO(page))
    with pytest.raises(NnrunError, match="gave something else than the data set"):
        load_dataset(config(name="california"))
    assert archive("1,2,3") == (home / "cal_housing.tgz").read_bytes()
