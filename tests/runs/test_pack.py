"""Packed runs, and where their data lies."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import tempfile
import zipfile
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import nnrun
from nnrun.errors import UsageError
from nnrun.runs.pack import _is_long, pack, unpacked
from nnrun.runs.storage import data_place
from nnrun.runs.storage.data_place import stored_config
from tests.forging import revise
from tests.lab import invoke

# A run as one file: what is in it, who can use it, and what is refused.

HOUSES = """\
dataset: {path: ../data/houses.csv, columns: {target: price}, task: regression}
network: {sizes: [3, 1], activations: [tanh, linear]}
loss: mean_squared
training: {learning_rate: 0.01, iterations: 40, batch_size: 4, engine: numpy}
"""


def shell(*words):
    """Run a command: its exit code, and what it says."""
    answer = invoke(*words)
    return answer.code, answer.said


@pytest.fixture(scope="module")
def author(tmp_path_factory):
    """The folder of someone who trained a run: their data are in the project, or elsewhere."""
    home = tmp_path_factory.mktemp("alice")
    rows = np.random.default_rng(0).normal(size=(60, 3))
    for folder in ("project/data", "project/configs", "far"):
        (home / folder).mkdir(parents=True)
    for file in ("project/data/houses.csv", "far/flats.csv"):
        np.savetxt(home / file, rows, delimiter=",", header="a,b,price", comments="")
    config = home / "project" / "configs" / "houses.yaml"
    config.write_text(HOUSES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNRUN_CACHE", str(home / "cache"))
        results = home / "project" / "results"
        nnrun.train(config, results=results)
        nnrun.train(
            config,
            {"dataset.path": str(home / "far" / "flats.csv"), "name": "flats"},
            results=results,
        )
        nnrun.pack("houses", home / "whole.zip", results=results, with_data=True)
        nnrun.pack("flats", home / "flats.zip", results=results)
    return home


@pytest.fixture
def away(author, tmp_path, monkeypatch):
    """An empty folder on another machine, with the packed runs and a list of its own of data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(data_place, "_given", {})
    monkeypatch.setattr(data_place, "_folders", [])
    (tmp_path / "temporary").mkdir()
    for file in ("whole.zip", "flats.zip"):
        shutil.copy(author / file, tmp_path)
    return tmp_path


def test_what_is_stored_names_no_folder_of_its_author(author):
    """Neither in results nor in packed runs; data elsewhere have their name alone."""
    files = [*(author / "project" / "results").rglob("*"), *author.glob("*.zip")]
    named = [file.name for file in files if file.is_file() and b"alice" in file.read_bytes()]
    assert [] == named
    configs = sorted((author / "project" / "results").glob("*/*/report.json"))
    paths = [json.loads(file.read_bytes())["config"]["dataset"]["path"] for file in configs]
    assert ["flats.csv", "../../../data/houses.csv"] == paths


def test_data_elsewhere_are_remembered_by_their_digest(author, monkeypatch):
    """By this user's cache: neither `verify` nor `train config.yaml` needs an argument."""
    results = author / "project" / "results"
    monkeypatch.setenv("NNRUN_CACHE", str(author / "cache"))
    assert nnrun.verify("flats", results=results).agrees
    (folder,) = (results / "flats").iterdir()
    again = nnrun.train(folder / "config.yaml", results=None)
    assert folder.name == again.run_id
    monkeypatch.setenv("NNRUN_CACHE", str(author / "nothing"))
    verdict = nnrun.verify("flats", results=results)
    assert "not_verified" == verdict.finding
    assert "flats.csv (SHA-256 " in verdict.reason
    assert "--data FILE says where they are now" in verdict.reason


def test_the_same_run_gives_the_same_bytes(author, tmp_path):
    """Of any folder that it is moved to, and uncompressed, as bytes of zlib differ by version."""
    moved = tmp_path / "moved"
    shutil.copytree(author / "project", moved)
    nnrun.pack("houses", tmp_path / "again.zip", results=moved / "results", with_data=True)
    assert (author / "whole.zip").read_bytes() == (tmp_path / "again.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "again.zip") as archive:
        assert {zipfile.ZIP_STORED} == {member.compress_type for member in archive.infolist()}
        names = [name.split("/", 2)[2] for name in archive.namelist()]
    assert ["report.json", "data/houses.csv"] == names[-2:]


def test_another_machine_verifies_shows_and_predicts(away):
    """With the data inside, or said to be elsewhere under any name; and leaves nothing behind."""
    assert (0, True) == ((done := shell("verify", "whole.zip"))[0], "the same bits" in done[1])
    code, said = shell("verify", "flats.zip")
    assert (2, True) == (code, "--data FILE says where they are now" in " ".join(said.split()))
    with zipfile.ZipFile("whole.zip") as archive:
        name = next(name for name in archive.namelist() if "/data/" in name)
        Path("mine.csv").write_bytes(archive.read(name))
    assert 0 == shell("verify", "flats.zip", "--data", "mine.csv", "-j", "1")[0]
    shown = shell("show", "flats.zip")[1]
    assert (True, True) == ("completed" in shown, "nnrun verify flats.zip" in shown)
    assert "/temporary/" not in shown + shell("show", "flats.zip", "--json")[1]
    done = invoke("predict", "whole.zip", "mine.csv")
    assert (0, 61) == (done.code, len(done.out.splitlines()))
    assert [] == [*(away / "temporary").iterdir()]
    assert not Path("results").exists()


def test_python_takes_packed_runs(away):
    """Loaded runs predict as long as the process lasts."""
    loaded = nnrun.load("whole.zip")
    assert (3,) == loaded.predict(np.zeros((3, 2))).shape
    assert nnrun.verify("whole.zip").agrees


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing", "-o", "x.zip"), "no run in"),
        (("houses", "-o", "x.tar"), "a packed run is a .zip file"),
        (("houses", "-o", "no/x.zip"), "no"),
        (("flats", "-o", "x.zip", "--with-data"), "SHA-256"),
    ],
)
def test_what_cannot_be_packed_is_refused(author, away, words, said):
    """With exit code 2, and nothing written."""
    shutil.copytree(author / "project", "project")
    before = sorted(away.rglob("*"))
    code, text = shell("pack", *words, "--results", "project/results")
    assert (2, True) == (code, said in text), text
    assert before == sorted(away.rglob("*"))


def name_elsewhere(folder, before, after):
    """Change the path of a run's data in its config, with the digest that fits."""
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace(before, after))
    report = json.loads((folder / "report.json").read_bytes())
    files = {**report["files"], "config.yaml": sha256(config.read_bytes()).hexdigest()}
    revise(folder / "report.json", files=files)


def test_changed_data_are_not_packed(author, away):
    """The data must be those of the run."""
    shutil.copytree(author / "project", "project")
    (folder,) = Path("project/results/houses").iterdir()
    with Path("project/data/houses.csv").open("a") as file:
        file.write("1,2,3\n")
    with pytest.raises(UsageError, match="not the file that the run was trained on"):
        pack(folder, Path("x.zip"), with_data=True)
    assert not Path("x.zip").exists()


TOP = "houses/s42-0123456789"


def hostile(path, *members, compression=zipfile.ZIP_STORED):
    """A zip file of these names, contents and modes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content, mode in members:
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = mode << 16, compression
            archive.writestr(member, content)


FILE, LINK = stat.S_IFREG | 0o644, stat.S_IFLNK | 0o777
REPORT = (f"{TOP}/report.json", b"{}", FILE)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([], "it holds 0 files"),
        ([(f"{TOP}/../../../x", b"", FILE)], "no file of a run"),
        ([REPORT, ("../evil.txt", b"", FILE)], "'../evil.txt' is no file of a run"),
        ([("/etc/x/report.json", b"", FILE)], "no file of a run"),
        ([(f"{TOP}/evil.py", b"", FILE)], "no file of a run"),
        ([("..\\..\\x", b"", FILE)], "no file of a run"),
        ([(f"{TOP}/data/../x", b"", FILE)], "no file of a run"),
        ([(f"{TOP}/data/.hidden", b"", FILE)], "no file of a run"),
        ([(f"{TOP}/data/{'x' * 60000}", b"", FILE)], "no file of a run"),
        ([(f"{TOP}/report.json", b"/etc/passwd", LINK)], "no regular file"),
        ([REPORT, REPORT], "a file twice"),
        ([REPORT, (f"{TOP}/REPORT.json", b"", FILE)], "REPORT.json' is no file"),
        ([REPORT, ("others/s1-0123456789/report.json", b"", FILE)], "several runs"),
        ([(f"{TOP}/data/{i}", b"", FILE) for i in range(2)], "several runs"),
        ([(f"{TOP}/data/{i}", b"", FILE) for i in range(99)], "it holds 99 files"),
        ([(f"{TOP}/report.json", b"[", FILE), (f"{TOP}/config.yaml", b"a: 1\n", FILE)], "damaged"),
    ],
    ids=range(16),
)  # fmt: skip
def test_hostile_files_are_refused(away, members, said):
    """With exit code 2; nothing is left, and nothing was written but below the temporary folder."""
    hostile("x.zip", *members)
    before = sorted(away.rglob("*"))
    code, text = shell("verify", "x.zip")
    assert (2, True) == (code, said in text), text[:500]
    assert before == sorted(away.rglob("*"))


def unpacked_again():
    """The folder of the run in whole.zip, to be changed."""
    with zipfile.ZipFile("whole.zip") as archive:
        archive.extractall("files")
    (folder,) = Path("files/houses").iterdir()
    return folder


def packed_again(folder):
    """A zip file of a run's folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    top = folder.parent.parent
    members = [(path.relative_to(top).as_posix(), path.read_bytes(), FILE) for path in files]
    hostile("x.zip", *members)
    return "x.zip"


@pytest.mark.parametrize("command", [("show",), ("verify",), ("predict", "whole.zip")])
@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("history.csv", "1", "damaged: history.csv"),
        ("config.yaml", "seed: 1", "damaged: config.yaml"),
        ("report.md", "1", "damaged: report.md"),
        ("config.yaml", None, "it has no config.yaml"),
        ("report.json", None, "it has no report.json"),
        ("traceback.txt", "", "does not name traceback.txt"),
        ("data/houses.csv", "", "data/houses.csv is not the file"),
    ],
)
def test_files_that_differ_from_the_report_are_refused(away, command, file, content, said):
    """By every command, with the packed file's name, without a temporary path or vain advice."""
    folder = unpacked_again()
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    code, text = shell(command[0], packed_again(folder), *command[1:])
    text = " ".join(text.split())
    assert (2, True) == (code, "x.zip: is not a run that `nnrun pack` wrote" in text), text
    assert (True, False, False) == (said in text, "nnrun-" in text, "--force" in text), text


def test_a_report_with_a_path_elsewhere_is_refused(away):
    """Whatever digests it has, so that no other file of this machine is read."""
    folder = unpacked_again()
    name_elsewhere(folder, "../../../data", "/etc")
    assert "a folder of another machine" in shell("verify", packed_again(folder))[1]


def test_compressed_files_are_refused(away):
    """So none is larger than its archive, whatever it says of itself."""
    hostile("x.zip", (f"{TOP}/report.json", bytes(10**7), FILE), compression=zipfile.ZIP_DEFLATED)
    assert "is compressed" in shell("show", "x.zip")[1]
    Path("x.zip").write_bytes(b"PK\x03\x04 and then nothing")
    assert "is damaged" in shell("show", "x.zip")[1]
    content = Path("whole.zip").read_bytes()
    Path("x.zip").write_bytes(content.replace(b"houses.csv", b"houses.cs/"))
    assert "no file of a run" in shell("show", "x.zip")[1]


def test_a_full_folder_for_temporary_files_is_named(away, monkeypatch):
    """It is what takes no more: the packed run itself can be read."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    said = f"whole.zip: cannot be unpacked into {away / 'temporary'}: No space left on device"
    code, text = shell("show", "whole.zip")
    assert (1, True) == (code, said in " ".join(text.split())), text


def test_data_are_not_looked_for_beside_a_packed_run(away, monkeypatch):
    """A path in its config leads nowhere."""
    with zipfile.ZipFile("flats.zip") as archive:
        members = [(name, archive.read(name), FILE) for name in archive.namelist()]
    hostile("x.zip", *members)
    monkeypatch.setattr(os, "getcwd", lambda: str(away))
    with unpacked(Path("x.zip")) as folder:
        (folder / "flats.csv").write_text("a,b,price\n1,2,3\n")
        assert "not_verified" == nnrun.verify(folder).finding


# Which path of its data a run stores.


@pytest.mark.parametrize(
    ("results", "data", "stored"),
    [
        ("/srv/alice/proj/results", "/srv/alice/proj/a.csv", "../../../a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/proj/data/a.csv", "../../../data/a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/proj/results/a.csv", "../../a.csv"),
        ("/srv/alice/proj/results", "/srv/alice/a.csv", "a.csv"),
        ("/mnt/home/results", "/mnt/home/alice/proj/a.csv", "a.csv"),
        ("/mnt/home/results", "/mnt/home/carol/a.csv", "a.csv"),
        ("/users/results", "/users/carol/a.csv", "a.csv"),
        ("/home/results", "/home/alice/proj/a.csv", "a.csv"),
        ("/scratch/results", "/scratch/alice/a.csv", "a.csv"),
        ("/results", "/data/a.csv", "a.csv"),
    ],
)
def test_a_stored_path_names_no_person(results, data, stored, tmp_path, monkeypatch):
    """It leads to data beside the results or in a folder there; else the name is stored."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path))
    monkeypatch.setattr(Path, "home", lambda: Path("/users/people/carol"))
    folder = Path(results, "houses", "s42-0123456789")
    config = stored_config({"dataset": {"path": data}}, folder, "0" * 64)
    assert stored == config["dataset"]["path"]


@pytest.mark.parametrize("shared", ["writable", "of another user", "with data of another user"])
def test_a_folder_in_a_shared_one_may_be_named_after_a_person(shared, tmp_path, monkeypatch):
    """Where all may write, or what others own; the name of the data is stored."""
    monkeypatch.setenv("NNRUN_CACHE", str(tmp_path / "cache"))
    project = tmp_path / "shared"
    (project / "alice").mkdir(parents=True)
    run = project / "results" / "houses" / "s42-0123456789"
    config = {"dataset": {"path": str(project / "alice" / "a.csv")}}
    own = stored_config(config, run, "0" * 64)
    assert "../../../alice/a.csv" == own["dataset"]["path"]
    if shared == "writable":
        project.chmod(0o777)
    else:
        others, real = project / "alice" if "data" in shared else project, os.stat
        monkeypatch.setattr(os, "geteuid", lambda: real(tmp_path).st_uid + 1)

        def stat(path, **options):
            state = list(real(path, **options))
            state[4] += path != others  # the owner
            return os.stat_result(state)

        monkeypatch.setattr("nnrun.systems.posix.os.stat", stat)
    assert "a.csv" == stored_config(config, run, "0" * 64)["dataset"]["path"]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a.csv", False),
        ("../../a.csv", False),
        ("../../../data/a.csv", False),
        ("../../../people/alice/a.csv", True),
        ("../../../../alice/a.csv", True),
        ("..\\..\\..\\people\\alice\\a.csv", True),
        ("/home/alice/a.csv", True),
        ("C:\\alice\\a.csv", True),
    ],
)
def test_only_runs_with_short_paths_are_unpacked(path, names):
    """Longer ones lead through folders of this machine, and `pack` writes none."""
    assert names == _is_long(path)
