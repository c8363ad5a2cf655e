"""Paths that lead to no file: they are said to be what they are."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from tests.hostile.refused.refusals import CONFIG, Case, X, both, link, path, text

LONG = "a" * 5000


RESULTS = [
    *(("train", "a.yaml"), ("sweep", "a.yaml"), ("search", "a.yaml"), ("ls",), ("show", "r")),
    *(("report",), ("compare", "r", "s"), ("best", "r"), ("verify",), ("predict", "r", "a.csv")),
    *(("pack", "r", "-o", "r.zip"), ("export", "r", "-o", "r.py"), ("explain", "r"), ("ui",)),
]


def before(name: str, content: bytes) -> None:
    """An archive after something else, as a page of HTML."""
    with zipfile.ZipFile(name, "w") as archive:
        archive.writestr("x.npy", content)
    Path(name).write_bytes(b"<html>" + Path(name).read_bytes())


CASES = [
    path(
        "an npz after other bytes",
        "b.npz",
        "b.npz: has 6 bytes before its zip archive; save it anew",
        lambda: before("b.npz", X),
    ),
    path(
        "a workbook after other bytes",
        "b.xlsx",
        "b.xlsx: has 6 bytes before its zip archive; save it anew",
        lambda: before("b.xlsx", X),
    ),
    Case(
        "a packed run after other bytes",
        lambda: before("b.zip", X),
        ("show", "b.zip"),
        "b.zip: has 6 bytes before its zip archive; save it anew",
    ),
    path("a FIFO as a csv", "f.csv", "f.csv is a FIFO, not a file", lambda: os.mkfifo("f.csv")),
    path("a FIFO as an npz", "f.npz", "f.npz is a FIFO, not a file", lambda: os.mkfifo("f.npz")),
    path("zeros without end", "z.csv", "z.csv is a device, not a file", link("z.csv", "/dev/zero")),
    path("zeros in an npz", "z.npz", "z.npz is a device, not a file", link("z.npz", "/dev/zero")),
    path("null", "n.csv", "n.csv is a device, not a file", link("n.csv", "/dev/null")),
    path("random", "r.csv", "r.csv is a device, not a file", link("r.csv", "/dev/urandom")),
    path("a loop", "l.csv", "l.csv is a link that leads to itself", link("l.csv", "l.csv")),
    path("a loop as an npz", "l.npz", "is a link that leads to itself", link("l.npz", "l.npz")),
    path("a link to nothing", "d.csv", "d.csv is a link to nothing", link("d.csv", "no.csv")),
    path("a folder", "d.csv", "d.csv is a folder, not a file", lambda: os.mkdir("d.csv")),
    path("a folder as an npz", "d.npz", "is a folder, not a file", lambda: os.mkdir("d.npz")),
    path("nothing", "no.csv", "no.csv does not exist"),
    path("in a file", "a.yaml/x.csv", "a.yaml/x.csv does not exist"),
    path("a long name", LONG + ".csv", ".csv does not exist: the name is too long"),
    path("a long path", "a/" * 3000 + "x.npz", "x.npz does not exist: the name is too long"),
    path("up and away", "../" * 50 + "no/x.csv", "/no/x.csv does not exist"),
    path("another ending", "x.pkl", "is no .csv, .tsv, .jsonl, .parquet, .xlsx or .npz file"),
    path("no ending", "x", "is no .csv, .tsv, .jsonl, .parquet, .xlsx or .npz file"),
    path("an empty name", "", "this is not the path of a file"),
    Case(
        "mnist in a long folder",
        text("a.yaml", CONFIG.replace("iris}", f"mnist, path: {LONG}}}")),
        ("check", "a.yaml"),
        "does not exist: the name is too long; expected the folder with the IDX files",
    ),
    Case(
        "mnist in a file",
        text("a.yaml", CONFIG.replace("iris}", "mnist, path: a.yaml}")),
        ("check", "a.yaml"),
        "a.yaml is a file, not a folder; expected the folder with the IDX files",
    ),
    Case("a long config", lambda: None, ("check", LONG + ".yaml"), "File name too long"),
    Case("a config of many folders", lambda: None, ("check", "a/" * 3000), "File name too long"),
    Case(
        "a config that leads to itself",
        link("a.yaml", "a.yaml"),
        ("check", "a.yaml"),
        "a.yaml: cannot be read: Too many levels of symbolic links",
    ),
    Case("no config", lambda: None, ("check", "a.yaml"), "a.yaml: there is no such file"),
    Case(
        "a nearly right name", text("aa.yaml", ""), ("train", "a.yaml"), "did you mean 'aa.yaml'?"
    ),
    Case(
        "a folder without configs",
        lambda: os.mkdir("d"),
        ("check", "d"),
        "argument 'd': no .yaml or .yml file in there",
    ),
    Case(
        "a folder as a config",
        lambda: os.mkdir("d.yaml"),
        ("train", "d.yaml"),
        "d.yaml: is a folder, not a config file",
    ),
    Case(
        "zeros as a config",
        link("a.yaml", "/dev/zero"),
        ("check", "a.yaml"),
        "a.yaml: is larger than 1 MiB, so it is not a config",
    ),
    Case(
        "results in a long folder",
        text("a.yaml", CONFIG),
        ("train", "a.yaml", "--results", LONG),
        "File name too long",
    ),
    Case(
        "results in a file",
        text("a.yaml", CONFIG),
        ("train", "a.yaml", "--results", "a.yaml"),
        "Directory 'a.yaml' is a file",
    ),
    Case(
        "results that lead to themselves",
        lambda: (text("a.yaml", CONFIG)(), link("results", "results")()),
        ("train", "a.yaml"),
        "Too many levels of symbolic links",
    ),
    Case(
        "an experiment that leads to itself",
        lambda: (text("a.yaml", CONFIG)(), os.mkdir("results"), link("results/a", "a")()),
        ("train", "a.yaml"),
        "is a link that leads to itself; remove it",
    ),
    Case(
        "an experiment that leads elsewhere",
        lambda: (text("a.yaml", CONFIG)(), os.mkdir("results"), link("results/a", "..")()),
        ("train", "a.yaml"),
        "leads out of the results folder; remove that link",
    ),
    Case("results without a name", text("a.yaml", CONFIG), ("ls", "--results", ""), "it is empty"),
    Case(
        "a config of megabytes",
        lambda: Path("a.yaml").write_text("# " + "x" * 2**20),
        ("check", "a.yaml"),
        "is larger than 1 MiB, so it is not a config",
    ),
    *(
        Case(
            f"{' '.join(words)} with results in {place}",
            both(text("a.yaml", CONFIG), text("plain", ""), lambda: os.mkfifo("f")),
            (*words, "--results", place),
            f"'{there}' is no folder; name one, or a new one",
        )
        for place, there in (("/dev/null", "/dev/null"), ("plain/x", "plain"), ("f", "f"))
        for words in RESULTS
    ),
]
