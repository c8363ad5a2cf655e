"""`nnrun help`: whatever is in a table, a block of the schema or the list of commands is in it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Annotated, Literal

import pytest

from nnrun.cli import COMMANDS
from nnrun.config.hints import place_of
from nnrun.config.load import config_from_dict
from nnrun.config.yaml import Text, parse
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.steps import STEPS
from nnrun.errors import EXIT_CODES
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS
from nnrun.nn.layers import LAYERS
from nnrun.nn.layers.residual import Residual
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.nn.sequential import Layers
from nnrun.nn.signature import Bounds
from nnrun.reports.reference.site import glossary, lessons, pages
from nnrun.reports.reference.topics import KINDS, topics

TABLES = {
    "layer": LAYERS,
    "activation": ACTIVATIONS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "initializer": INITIALIZERS,
    "schedule": SCHEDULES,
    "feature step": STEPS,
    "data set": DATASETS,
}
DOCS = Path(__file__).parents[2] / "nnrun" / "docs"


def of_kind(kind):
    return {topic.name: topic for topic in topics() if topic.kind == kind}


@pytest.mark.parametrize("kind", TABLES)
def test_whatever_is_in_a_table_can_be_looked_up(kind):
    """By its name, with what its docstring says and an example."""
    found = of_kind(kind)
    assert list(TABLES[kind]) == list(found)
    assert all(topic.text and topic.example for topic in found.values())


def test_every_key_of_the_schema_can_be_looked_up():
    """In dotted form, with what it does, what it takes and its default."""
    found = of_kind("key")
    for name, topic in found.items():
        assert topic.text.count("\n\n") == 2, name
        step = name.rpartition(".")[2]
        assert place_of(step) is not None
    assert "a number greater than 0" in found["training.learning_rate"].text
    assert "Default: 42." in found["seed"].text
    assert "It has to be given." in found["loss"].text


def test_a_layer_has_its_keys_shapes_and_defaults(lab):
    """As its signature says."""
    done = lab.ok("help", "conv2d")
    for words in ("shapes     1×8×8 → 8×6×6", "channels     needed", "stride       default 1"):
        assert words in done.out
    assert all(of_kind("layer")[name].shapes for name in LAYERS)


@pytest.mark.parametrize("kind", ["layer", "loss", "optimizer", "schedule", "data set"])
def test_every_key_says_what_it_does_and_what_it_may_be(kind):
    """From the docstring of what stands in the table, and its annotations."""
    keys = {(name, key) for name, topic in of_kind(kind).items() for key in topic.keys}
    assert [] == [(name, key.name) for name, key in keys if not (key.about and key.form)]


def test_a_key_of_layers_is_explained_for_each_that_has_it(lab):
    """Those first, by the line on it, though it is no topic."""
    lines = lab("help", "stride", COLUMNS="200").out.splitlines()
    layers = ["conv2d", "conv1d", "max_pool2d", "max_pool1d", "avg_pool2d"]
    assert layers == [line.split()[0] for line in lines[1:6]]
    assert "stride: The step of the kernel" in lines[1]


def test_forms_are_those_that_a_config_may_have():
    """Short forms first; lists of entries as lists; an entry's name alone where that will do."""
    found = of_kind("key")
    wanted = {
        "loss": "binary_cross_entropy or a mapping like {type: huber, delta: 1.0}.",
        "network.layers": "Value: a list of layers.",
        "network.sizes": "Value: a list of sizes.",
        "metrics": "Value: a list of values, each a metric.",
        "network": "Value: a mapping of layers, or of sizes and activations.",
        "dataset.features": "none or a mapping like {binarize: 8} or",
        "training.learning_rate": "or {schedule: step | exponential | inverse_time",
        "sweep.grid": "Value: a mapping of names, each to a list of values.",
    }
    assert [] == [key for key, words in wanted.items() if words not in found[key].text]


def test_the_option_of_a_step_is_described():
    """What it means, and what may be given."""
    (key,) = of_kind("feature step")["binarize"].keys
    assert ("binarize", "a number", "", "The threshold") == (
        key.name, key.form, key.default, key.about
    )  # fmt: skip


def test_what_may_be_left_out_is_not_said_to_be_needed():
    """The name is the file's, and one form of the network is enough."""
    found = of_kind("key")
    assert "By default the config file's name" in found["name"].text
    assert "It has to be given, or `sizes` and `activations`" in found["network.layers"].text
    assert "Default: none." in found["dataset.features"].text


def test_a_default_is_shown_as_it_can_be_written():
    """In a config or after a `=`; `none` is a word of a few keys alone."""
    found = of_kind("key")
    assert "Default: null." in found["training.class_weight"].text
    assert "Default: null." in found["dataset.columns.features"].text


def test_a_key_of_several_entries_is_explained_for_each():
    """What it does where that differs, and its defaults."""
    text = of_kind("key")["training.learning_rate.factor"].text
    assert "(of step); The factor by which the rate changes (of exponential);" in text
    assert "Default: 0.1 (of step, reduce_on_plateau); 0.5 (of exponential)." in text


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("lr", "training.learning_rate"),
        ("batch size", "training.batch_size"),
        ("MSELoss", "mean_squared"),
        ("filters", "conv2d"),
        ("kernel_size", "conv2d"),
        ("neurons", "dense"),
        ("overfitting", "lesson-7"),
        ("normalisation", "batch_norm"),
        ("regularisation", "training.optimizer.weight_decay"),
    ],
)
def test_words_of_other_libraries_are_found(lab, word, name):
    """As ours are, and those of textbooks; of a key of layers, the layers that have it."""
    done = lab.ok("help", *word.split(), "--json")
    assert name in [topic["name"] for topic in done.json]


def test_words_of_the_glossary_are_topics(lab):
    """By any of their names, with what stands there, and links as what to type."""
    shown = " ".join(lab("help", "Vanishing", "gradient").out.split())
    assert shown.startswith(
        "vanishing gradient word A gradient that shrinks, or grows, by a factor"
    )
    assert "(nnrun help lesson-4)" in shown
    text = lab("help", "glossary").out
    assert 30 < len([topic for topic in glossary() if topic.name.split()[0] in text])
    assert {"epoch", "neuron", "trial"} < {topic.name for topic in glossary()}


@pytest.mark.parametrize("kind", ["layer", "loss", "optimizer", "schedule"])
def test_examples_are_configs(kind):
    """Each stands in a config as it is printed."""
    config = {
        "name": "a",
        "dataset": {"name": "digits"},
        "network": {"sizes": [1], "activations": ["linear"]},
        "loss": "mean_squared",
        "training": {"learning_rate": 0.1, "epochs": 1},
    }
    for topic in of_kind(kind).values():
        example = parse(Text(topic.example, "example")).data
        (key,) = example
        block = {"layers": "network", "optimizer": "training", "learning_rate": "training"}
        changed = dict(config)
        if key == "loss":
            changed |= example
        elif key == "layers":
            changed["network"] = example
        else:
            changed[block[key]] = {**changed[block[key]], **example}
        config_from_dict(changed)


class Routing(Residual):
    """Layers that differ from all others in what they need."""

    def __init__(
        self,
        gate: Layers,
        depth: Annotated[float, Bounds(gt=1, lt=3)],
        mode: Literal["soft", "hard"],
        wide: bool,
    ) -> None:
        super().__init__(gate)


def test_any_argument_without_default_has_an_example(monkeypatch):
    """Also of a layer that nobody has thought of; it is one that configs take."""
    monkeypatch.setitem(LAYERS, "routing", Routing)
    (found,) = [topic for topic in topics() if topic.name == "routing"]
    gate = "gate: [{type: dense, units: 4}]"
    assert (
        f"layers: [{{type: routing, {gate}, depth: 2.0, mode: soft, wide: true}}]" == found.example
    )
    assert "4 → 4" == found.shapes


def test_exit_codes_are_those_of_the_pages(lab):
    """The same words in the terminal and in the table of `docs/results.md`."""
    text = " ".join(lab("help", "exit-codes").out.split())
    rows = dict(re.findall(r"^\| ([\d, ]+) \| (.+) \|$", (DOCS / "results.md").read_text(), re.M))
    for code, meaning in EXIT_CODES.items():
        assert f"{code}: {meaning}." in text
        written = next(text for codes, text in rows.items() if str(code) in codes.split(", "))
        assert code > 3 or meaning == written
    assert "exit-codes  exit code" == lab("help", "exit codes").out.splitlines()[0]


@pytest.mark.parametrize("kind", TABLES)
def test_the_pages_name_all_there_is(kind):
    """What is added to a table is added to the table of `docs/config.md` too."""
    text = (DOCS / "config.md").read_text()
    assert [] == [name for name in TABLES[kind] if not re.search(rf"`[^`]*\b{name}\b", text)]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_can_be_looked_up(lab, name):
    """With its options."""
    done = lab.ok("help", name)
    assert f"nnrun {name} [OPTIONS]" in done.out
    assert "-h, --help" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_shell_takes_the_examples_of_commands(lab, name):
    """What it would read as its own, such as parentheses, is quoted."""
    lines = [line.strip() for line in lab("help", name).out.splitlines()]
    examples = [line for line in lines if line.startswith("nnrun ") and "[OPTIONS]" not in line]
    for example in examples:
        done = subprocess.run(["bash", "-n", "-c", example], capture_output=True, check=False)
        assert b"" == done.stderr, example
    assert examples or name in ("datasets", "schema")


def test_the_last_step_of_a_key_will_do(lab):
    """Where it is not the name of anything else."""
    assert "training.batch_size  key" == lab("help", "batch_size").out.splitlines()[0]


def test_any_word_is_found_where_it_stands(lab):
    """A search, when there is no topic of that name."""
    done = lab("help", "Kingma")
    assert ["That word stands in", "adam"] == [
        line.split("  ")[0] for line in done.out.splitlines()
    ][:2]


def test_words_are_found_at_their_start_and_where_they_are_most(lab):
    """`date` is in no `update`; the page that is on it comes first, before twelve others."""
    rows = lab("help", "date").out.splitlines()
    assert [] == [row for row in rows if row.startswith("training.optimizer ")]
    assert "series" == rows[1].split()[0]


def test_several_words_are_found_where_each_is(lab):
    """A page has both, and nowhere one after the other."""
    rows = lab("help", "median", "plateau").out.splitlines()
    assert "That word stands in" == rows[0]
    done = lab("help", "median", "xylophone")
    assert "'median xylophone', and no page has it; `nnrun help` lists all topics" in done.err


def test_a_page_is_not_mentioned_by_the_examples_of_help(lab):
    """They name topics to look up, and tell nothing of them; but its own words are found."""
    for word in ("dense", "momentum", "Kingma"):
        rows = lab("help", word).out.splitlines()
        assert [] == [row for row in rows if row.startswith("help ")], word
    assert "help  command" in lab("help", "an exit code, or any").out


def test_an_unknown_word_gets_a_suggestion(lab):
    """Exit 2."""
    message = lab.refused("help", "learnig_rate")
    assert "there is no topic 'learnig_rate'" in message
    assert "learning_rate" in message
    assert "; --plugin FILE.py adds others\n" in lab("help", "my_squash").err


def test_without_a_topic_all_names_are_listed(lab):
    """By kind; and as data."""
    text = " ".join(lab("help").out.split())
    known = [*topics(), *(page.topic for page in (*pages(), *lessons()))]
    assert all(topic.name in text for topic in known)
    data = lab.json("help")
    assert set(KINDS) == {topic["kind"] for topic in data}
    assert len(known) + len(COMMANDS) == len(data)


def test_texts_fill_the_screen(lab):
    """They are broken where it ends, and where a line of their own was meant to."""
    shown = lab("help", "cross_entropy", COLUMNS="80").out
    assert "the loss is infinite. Networks that end in softmax\nare trained with" in shown
    shown = lab("help", "batch_norm", COLUMNS="80").out
    assert "\n\n    dβ = Σ dy,  dγ = Σ dy x̂,  dx = γ / sqrt(σ² + ε) · (dy - dβ" in shown
