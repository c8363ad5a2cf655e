"""What a paper says of experiments: a paragraph on methods with its references, and a checklist.

The checklist answers what those of NeurIPS and ACL ask of experiments, as far as records can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nnrun import __version__
from nnrun.config.settings import choice_words, in_common, setting_of, value_words
from nnrun.errors import UsageError
from nnrun.reports.markup import code, escape, tex
from nnrun.reports.numbers import count, duration, first_of, number, plural, ranges
from nnrun.reports.paper import by_set
from nnrun.reports.summary import metric_label
from nnrun.runs.catalog.summary import RunSummary
from nnrun.sweeps.board.stored import StoredBoard, StoredVariant
from nnrun.sweeps.board.verdicts import model_words

_CITED = re.compile(r"\[@(\w+)\]")
_SHOWN = 8
_OF_NETWORK = {
    "network.layers": "layers", "network.initializer": "initial weights", "loss": "loss",
    "training.optimizer": "optimizer", "training.learning_rate": "learning rate",
    "training.batch_size": "batch size", "training.epochs": "epochs",
    "training.iterations": "iterations", "training.early_stopping": "early stopping",
    "training.dtype": "arithmetic", "dataset.features": "features",
    "dataset.target": "target scale", "members": "members",
}  # fmt: skip
_ONE_MEMBER = {"members": 1}
_ALL = "Networks have"
REFERENCES = {
    "nadeau2003": (
        "Nadeau and Bengio, 2003",
        "@article{nadeau2003, author = {Nadeau, Claude and Bengio, Yoshua}, title = {Inference for "
        "the Generalization Error}, journal = {Machine Learning}, volume = {52}, year = {2003}, "
        "pages = {239--281}}",
    ),
    "hsu1984": (
        "Hsu, 1984",
        "@article{hsu1984, author = {Hsu, Jason C.}, title = {Constrained Simultaneous Confidence "
        "Intervals for Multiple Comparisons with the Best}, journal = {The Annals of Statistics}, "
        "volume = {12}, year = {1984}, pages = {1136--1144}}",
    ),
    "welch1947": (
        "Welch, 1947",
        "@article{welch1947, author = {Welch, B. L.}, title = {The Generalization of `Student's' "
        "Problem when Several Different Population Variances are Involved}, journal = "
        "{Biometrika}, volume = {34}, year = {1947}, pages = {28--35}}",
    ),
    "akiba2019": (
        "Akiba et al., 2019",
        "@inproceedings{akiba2019, author = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko "
        "and Ohta, Takeru and Koyama, Masanori}, title = {Optuna: A Next-generation Hyperparameter "
        "Optimization Framework}, booktitle = {KDD}, year = {2019}, pages = {2623--2631}}",
    ),
    "pedregosa2011": (
        "Pedregosa et al., 2011",
        "@article{pedregosa2011, author = {Pedregosa, Fabian and others}, title = {Scikit-learn: "
        "Machine Learning in Python}, journal = {Journal of Machine Learning Research}, volume = "
        "{12}, year = {2011}, pages = {2825--2830}}",
    ),
    "harris2020": (
        "Harris et al., 2020",
        "@article{harris2020, author = {Harris, Charles R. and others}, title = {Array programming "
        "with {NumPy}}, journal = {Nature}, volume = {585}, year = {2020}, pages = {357--362}}",
    ),
}
"""By their keys: how a text names them, and their entry of BibTeX."""


@dataclass(frozen=True)
class Methods:
    """What is said of some boards; texts have marks such as `[@nadeau2003]`.

    Args:
        paragraphs: one for each board, then one on software.
        checklist: questions with their answers.
    """

    paragraphs: list[str]
    checklist: list[tuple[str, str]]

    @property
    def cited(self) -> list[str]:
        """The keys of the references, in the order of the text."""
        found = (key for text in self.paragraphs for key in _CITED.findall(text))
        return [*dict.fromkeys(found)]

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON data, with plain texts."""
        return {
            "paragraphs": [*map(_plain, self.paragraphs)],
            "checklist": [{"question": q, "answer": a} for q, a in self.checklist],
            "bibtex": self.bibtex(),
        }

    def bibtex(self) -> str:
        """The entries of what is cited."""
        return "".join(f"{REFERENCES[key][1]}\n" for key in self.cited)


def methods_of(boards: Sequence[StoredBoard]) -> Methods:
    """What is said of these boards.

    Raises: UsageError if there is none.
    """
    if not boards:
        raise UsageError("there is no completed run to say anything of")
    each = [
        [*_data(board), *_training(board), *_replicates(board), *_choice(board)] for board in boards
    ]
    software = (
        f"Networks were trained by nnrun {__version__} on NumPy [@harris2020]; on one machine with "
        "the same versions, the same config and seed give the same bits."
    )
    # What holds for all data sets is said once, at the end.
    common = [text for text in each[0] if len(each) > 1 and all(text in texts for texts in each)]
    own = [[text for text in texts if text not in common] for texts in each]
    paragraphs = []
    for texts in [*own, [*common, software]]:
        before, all_have, parts = " ".join(texts).partition(_ALL)
        paragraphs.append(before + all_have + parts.replace(f". {_ALL}", ";"))
    return Methods(paragraphs, [*_checklist(boards)])


def _variants(board: StoredBoard, *, networks: bool) -> list[StoredVariant]:
    rows = [s for s in board.standings if s.row.is_network == networks and s.scores]
    return [standing.variant for standing in rows]


def _runs(board: StoredBoard) -> list[RunSummary]:
    return [run for standing in board.standings for run in standing.scores]


def _data(board: StoredBoard) -> Iterator[str]:
    group, first = board.group, board.standings[0].variant
    target = f" with the target {group.target}" if group.target else ""
    sizes = ", ".join(f"{count(round(rows))} for {name}" for name, rows in first.rows.items())
    how = _division(first)
    yield f"Data are {group.dataset}{target}; {how}: {sizes}."


def _division(variant: StoredVariant) -> str:
    if variant.folds:
        way = f"cross-validation in {variant.folds} folds"
        return f"{way} by {variant.split_by}" if variant.split_by else way
    if variant.split_by:
        return f"rows are split by {variant.split_by}"
    if not variant.drawn:
        return "rows are split in the same way in all runs"
    return "rows are split at random, anew for each seed of a split"


def _training(board: StoredBoard) -> Iterator[str]:
    networks = _variants(board, networks=True)
    if networks:
        yield f"{plural(len(networks), 'setting')} of networks {_verb(len(networks))} trained."
        shared = in_common([variant.runs[-1].settings.plain for variant in networks])
        for key, words in _OF_NETWORK.items():
            value = setting_of(shared, key)
            varied = any(_within(name, key) for variant in networks for name in variant.choice)
            if not varied and value not in (None, [], "none", _ONE_MEMBER.get(key)):
                yield f"{_ALL} {words} {value_words(key, value).strip('[]')}."
        yield from _varied(networks)
    models = sorted({model_words(v.choice) for v in _variants(board, networks=False)})
    if models:
        yield (
            f"Reference models of scikit-learn [@pedregosa2011] had the same rows: "
            f"{', '.join(models)}."
        )


def _within(name: str, key: str) -> bool:
    return f"{name}.".startswith(f"{key}.") or f"{key}.".startswith(f"{name}.")


def _verb(number_of: int) -> str:
    return "was" if number_of == 1 else "were"


def _bounds(networks: Sequence[StoredVariant]) -> dict[str, str]:
    """Values of each key that varies, or their range where there are many."""
    values: dict[str, dict[str, Any]] = {}
    for variant in networks:
        for key, value in variant.choice.items():
            values.setdefault(key, {})[value_words(key, value)] = value
    bounds = {}
    for key, several in values.items():
        numbers = [v for v in several.values() if isinstance(v, int | float)]
        are_numbers = len(numbers) == len(several)
        words = sorted(several, key=several.__getitem__ if are_numbers else str)
        if are_numbers and len(words) > _SHOWN:
            bounds[key] = f"{number(min(numbers))} to {number(max(numbers))}"
        else:
            bounds[key] = first_of(words, _SHOWN)
    return bounds


def _varied(networks: Sequence[StoredVariant]) -> Iterator[str]:
    bounds = _bounds(networks)
    if bounds:
        listed = "; ".join(f"{key}: {values}" for key, values in bounds.items())
        yield f"They differ in {listed}."
    if any(run.search for variant in networks for run in variant.runs):
        yield "The settings were proposed by a search with Optuna [@akiba2019]."


def _replicates(board: StoredBoard) -> Iterator[str]:
    first = board.standings[0].variant
    runs = [len(standing.scores) for standing in board.standings if standing.scores]
    each = count(runs[0]) if min(runs) == max(runs) else f"{min(runs)} to {max(runs)}"
    seeds = ranges(sorted({run.seed for run in _runs(board) if run.seed is not None}))
    what = "the split, " if first.drawn and not first.folds else ""
    times = "time" if each == "1" else "times"
    drops = any("dropout" in str(run.settings.plain.get("network")) for run in _runs(board))
    yield (
        f"Each setting was trained {each} {times}, with seeds {seeds}, which draw {what}initial "
        f"weights{', order and dropout' if drops else ' and the order of rows'}."
    )
    failed = sum(standing.row.diverged + standing.row.failed for standing in board.standings)
    if failed:
        yield f"{plural(failed, 'run')} diverged or failed and {_verb(failed)} left out of means."


def _choice(board: StoredBoard) -> Iterator[str]:
    group = board.group
    several = max(len(standing.scores) for standing in board.standings) > 1
    own = group.ordered_by == "test"
    judged = ", which is also what is reported" if own else "; test rows chose nothing"
    metric = metric_label(group.metric)
    if len(board.standings) > 1:
        yield f"Settings are ordered by the mean {metric} on the {group.ordered_by} split{judged}."
    if not several:
        return
    overlap = any(standing.variant.overlap.get(group.ordered_by) for standing in board.standings)
    corrected = (
        ", with the variance corrected for training sets that overlap [@nadeau2003]"
        if overlap
        else ""
    )
    yield f"± is half of the 95% t interval of the mean over runs{corrected}."
    if len(board.standings) > 1:
        paired = all(standing.row.comparison != "unpaired" for standing in board.standings)
        how = "paired by seed and split" if paired else "unpaired where seeds differ [@welch1947]"
        yield (
            "A setting may be the best unless it is worse than the best of the others by "
            f"simultaneous one-sided comparisons at 95% [@hsu1984], {how}."
        )


def _checklist(boards: Sequence[StoredBoard]) -> Iterator[tuple[str, str]]:
    runs = [run for board in boards for run in _runs(board)]
    networks = [variant for board in boards for variant in _variants(board, networks=True)]
    names = sorted({run.name for run in runs})
    sets = {run.dataset: run.sha256 for run in runs}
    yield "Code", f"nnrun {__version__}; `nnrun pack RUN` has a run with config and digests"
    yield "Configs", ", ".join(f"`nnrun best {name}`" for name in names)
    yield "Data", "; ".join(f"{name}, SHA-256 {digest}" for name, digest in sets.items())
    for board in boards:
        variant = board.standings[0].variant
        sizes = ", ".join(f"{name} {count(round(n))}" for name, n in variant.rows.items())
        yield f"Splits of {board.group.dataset}", f"{sizes}; {_division(variant)}"
    bounds = _bounds(networks)
    varied = "; ".join(f"{key}: {values}" for key, values in bounds.items())
    yield "Hyperparameters that were varied", varied or "none"
    named = [board.group.dataset for board in boards]
    settings = by_set([count(len(_variants(board, networks=True))) for board in boards], named)
    yield "Number of settings", f"{settings}, on each data set"
    by = [f"by the mean on the {board.group.ordered_by} split" for board in boards]
    yield "How the best was chosen", by_set(by, named)
    first = [" ".join(choice_words(board.standings[0].row.choice)) for board in boards]
    yield "Settings that came first", by_set([words or "the only one" for words in first], named)
    yield "Number of runs", f"{count(len(runs))}, all that were trained of these experiments"
    yield "Spread", "± of each mean is half of its 95% interval over runs"
    sizes_of = [variant.parameters for variant in networks]
    if sizes_of:
        yield "Parameters", f"{count(min(sizes_of))} to {count(max(sizes_of))}"
    seconds = sum(run.seconds or 0.0 for run in runs)
    each = duration(seconds / len(runs))
    yield "Time of training", f"{duration(seconds)} in all, {each} a run, on CPUs"
    machines = dict.fromkeys(run.arithmetic for run in runs if run.arithmetic)
    yield "Processors and arithmetic", "; ".join(machines) or "not recorded"
    yield "Seeds", ranges(sorted({run.seed for run in runs if run.seed is not None}))


def _plain(text: str) -> str:
    """The text with references in words: (Hsu, 1984)."""
    return _CITED.sub(lambda mark: f"({REFERENCES[mark[1]][0]})", text)


def as_markdown(methods: Methods) -> str:
    """Paragraphs, the checklist and the entries of BibTeX."""
    checks = [f"- {escape(question)}: {answer}" for question, answer in methods.checklist]
    parts = ["## Methods", *(escape(_plain(text)) for text in methods.paragraphs)]
    parts += ["## Checklist of reproducibility", "\n".join(checks)]
    return "\n\n".join([*parts, "## References", code(methods.bibtex(), "bibtex")]) + "\n"


def as_latex(methods: Methods) -> str:
    """Paragraphs and the checklist, for the package natbib; the entries are those of `.bib`."""

    def broken(text: str) -> str:
        """LaTeX whose digests and names go on in the next line."""
        return re.sub(r"[0-9a-f]{8}(?=[0-9a-f]{8})|\\_|=", r"\g<0>\\allowbreak{}", tex(text))

    def cited(text: str) -> str:
        return re.sub(r"\[@(\w+)\]", r"\\citep{\1}", broken(text))

    items = [
        f"  \\item[{tex(question)}] " + re.sub("`(.*?)`", r"\\texttt{\1}", broken(answer))
        for question, answer in methods.checklist
    ]
    checks = "\n".join(["\\begin{description}", *items, "\\end{description}"])
    parts = [*map(cited, methods.paragraphs), checks, "\\end{sloppypar}"]
    return "\n\n".join(["% \\usepackage{natbib}", "\\begin{sloppypar}", *parts]) + "\n"


METHODS: dict[str, Callable[[Methods], str]] = {
    "markdown": as_markdown,
    "latex": as_latex,
    "bibtex": Methods.bibtex,
}
