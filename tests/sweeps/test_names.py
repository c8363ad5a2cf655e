"""No experiment has the name of a file that nnrun writes in the results folder."""

from __future__ import annotations

import pytest

from nnrun.runs.storage.store import Store
from tests.sweeps.helpers import BOSTON, IRIS


@pytest.fixture
def written(wide, write, tmp_path):
    """The names of all files that a sweep has written beside experiments."""
    write("iris", IRIS + "published: {test_accuracy: 0.0}\n")
    write("boston", BOSTON)
    assert 0 == wide("sweep", "configs", "--iterations", 2, "--replication")[0]
    names = sorted(place.name for place in (tmp_path / "results").iterdir() if place.is_file())
    assert 5 == len(names)
    return names


def test_each_is_refused_at_its_place(written, wide, write, tmp_path):
    """In the config, in the name of the file and in an argument, in any case of letters."""
    before = sorted((tmp_path / "results").rglob("*"))
    for name in [*written, *map(str.swapcase, written)]:
        write("named", f"{IRIS}name: {name}\n", "other")
        write(name, IRIS, "stems")
        calls = [
            *((command, "other/named.yaml") for command in ("check", "train", "sweep", "search")),
            *((command, f"stems/{name}.yaml") for command in ("check", "train", "sweep")),
            *((command, "configs/iris.yaml", f"name={name}") for command in ("train", "sweep")),
        ]
        places = {
            "other/named.yaml": f"other/named.yaml:7:7: name: '{name}'",
            f"stems/{name}.yaml": f"stems/{name}.yaml:2:1: name: the file's name is not one",
            "configs/iris.yaml": f"argument 'name={name}': name: '{name}'",
        }
        for words in calls:
            code, out, err = wide(*words)
            assert (2, "") == (code, out), (words, err)
            assert places[words[1]] in err
            assert "no name of nnrun's own files" in err
    assert before == sorted((tmp_path / "results").rglob("*"))


def test_no_other_name_is_written_beside_experiments(tmp_path):
    """A file with a name that an experiment may have is a mistake of nnrun's own."""
    with pytest.raises(AssertionError, match="no experiment may have"):
        Store(tmp_path, lambda _: "").write({"board.json": b"{}"})
    assert [] == [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    "name", ["leaderboard", "leaderboard-2", "my.leaderboard.json", "board.md"]
)
def test_names_like_them_are_free(wide, write, name):
    """Those that nnrun writes to no file are trained."""
    write(name)
    assert 0 == wide("train", f"configs/{name}.yaml", "--iterations", 1)[0]
    assert 0 == wide("sweep", "configs", "--iterations", 1)[0]
