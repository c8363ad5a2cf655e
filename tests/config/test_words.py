"""Words of other libraries, settings in a wrong place, options as arguments: each gets its hint."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from nnrun.config.hints import place_of
from nnrun.config.schema.experiment import ExperimentConfig
from nnrun.config.schema.training import DTYPES, ENGINES, SAMPLINGS
from nnrun.data.builtin.registry import DATASETS
from nnrun.data.steps import STEPS
from nnrun.metrics.table import METRICS
from nnrun.nn.activations import ACTIVATIONS
from nnrun.nn.initializers import INITIALIZERS
from nnrun.nn.layers import LAYERS
from nnrun.nn.losses import LOSSES
from nnrun.nn.optimizers import OPTIMIZERS
from nnrun.nn.schedules import SCHEDULES
from nnrun.suggestions import SYNONYMS, nearest
from tests.config.random_configs import pairs
from tests.lab import invoke, refused

WORDS = pairs("words.txt")
TABLES = {
    "data sets": DATASETS,
    "steps": STEPS,
    "dtypes": DTYPES,
    "engines": ENGINES,
    "samplings": SAMPLINGS,
    "activations": ACTIVATIONS,
    "initializers": INITIALIZERS,
    "layers": LAYERS,
    "losses": LOSSES,
    "optimizers": OPTIMIZERS,
    "schedules": SCHEDULES,
    "metrics": METRICS,
}
NAMES = {name for names in TABLES.values() for name in names}


@pytest.mark.parametrize(("argument", "words"), WORDS)
def test_what_was_meant_is_said(problems_of, valid, argument, words):
    """a problem of this argument has the word that helps."""
    found = [line for line in problems_of(valid, argument) if words in line]
    assert 1 == len(found), "if it is a name of nnrun now, change its lines in words.txt"
    assert found[0].startswith(f"argument '{argument}': ")


def test_there_are_enough_of_them():
    """Eighty at least."""
    assert len(WORDS) >= 80


@pytest.mark.parametrize("name", SYNONYMS)
def test_every_synonym_leads_somewhere(name):
    """To a name or key that there is."""
    assert name in NAMES or place_of(name) is not None
    for word in SYNONYMS[name].split():
        assert name == nearest(word, [name])


def test_a_word_of_several_names_is_the_first_that_is_valid():
    """As Keras's filters, which are channels of conv2d and units of dense."""
    words = [word for listed in SYNONYMS.values() for word in listed.split()]
    several = {word for word in words if words.count(word) > 1}
    assert {"filters", "decay_rate", "decay_steps", "step_size", "float"} <= several
    for word in several:
        names = [name for name, listed in SYNONYMS.items() if word in listed.split()]
        assert names[0] == nearest(word, names)
    assert "channels" == nearest("filters", ["units", "channels"])


def out_of_date(names: Iterable[str]) -> set[str]:
    """The synonyms of names of a table that are, by their spelling, names of it themselves."""
    spelt, names = {folded(name) for name in names}, {*names}
    return {word for word in SYNONYMS if folded(word) in spelt and names & {*SYNONYMS[word]}}


def folded(word: str) -> str:
    return re.sub("[-_ ]", "", word.lower())


@pytest.mark.parametrize("table", TABLES)
def test_no_synonym_is_a_name_of_ours(table):
    """A word of another library that has become a part of nnrun leads nowhere else any more."""
    assert set() == out_of_date(TABLES[table]), "remove them from nnrun/suggestions.py"


@pytest.mark.parametrize("table", TABLES)
def test_a_synonym_that_becomes_a_name_is_noticed(table):
    """Whichever way the name is spelt."""
    names = TABLES[table]
    for word in SYNONYMS:
        if not set(SYNONYMS[word]).isdisjoint(names):
            assert word in out_of_date([*names, word.upper().replace("_", "-")])


def test_a_name_of_ours_is_never_taken_for_another():
    """What is known in its place stays what it is, synonym or not."""
    for names in TABLES.values():
        assert list(names) == [nearest(name, names) for name in names]
    for key in ExperimentConfig.model_fields:
        assert key == place_of(key)


def test_the_option_that_is_wrong_is_reported():
    """And not the right one beside it that begins like it."""
    assert "No such option '--seed'; did you mean seed=3?" in refused(
        "sweep", "a.yaml", "--seeds", "2", "--seed", "3"
    )


def test_in_a_file_the_place_is_named_without_a_value(problems_of, valid):
    """The line is marked, so that the value stands there."""
    (found,) = problems_of(f"{valid}lr: 0.1\n")
    assert "5:1: lr: 'lr' is not a key of the config; did you mean training.learning_rate?" == found


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["--seed", "3"], "No such option '--seed'; did you mean seed=3?"),
        (["--lr", "0.1"], "'--lr'; did you mean training.learning_rate=0.1?"),
        (["-lr", "0.1"], "'-lr'; did you mean training.learning_rate=0.1?"),
        (["--batch-size=4"], "did you mean training.batch_size=4?"),
        (["--epochs", "3"], "did you mean training.epochs=3?"),
        (["--optimizer"], "did you mean training.optimizer=...?"),
        (["--seeds", "5"], "did you mean nnrun sweep with --seeds 5?"),
        (["--jobs", "5"], "did you mean nnrun sweep with --jobs 5?"),
        (["--itterations", "5"], "--iterations"),
    ],
)
def test_options_that_are_settings(words, meant):
    """Settings are arguments, `seed=3`; what was tried as an option is shown in that form."""
    assert meant in refused("train", "a.yaml", *words)


def test_an_option_of_other_commands_is_not_proposed_again():
    """`check` keeps no results: what it refuses is no help."""
    message = refused("check", "a.yaml", "--results", "r")
    assert re.search("No such option:? '?--results", message)  # versions of click differ
    assert "did you mean" not in message.lower()


@pytest.mark.parametrize(
    "words",
    [
        ["ls", "--order-by", "log_loss"],  # takes no arguments of configs
        ["sweep", "a.yaml", "--top", "10"],  # search.top changes no sweep
        ["train", "a.yaml", "--trials", "10"],
    ],
)
def test_a_setting_that_the_command_has_no_use_for_is_not_proposed(words):
    """Of an option that it has not."""
    message = refused(*words)
    assert re.search(f"No such option:? '?{words[-2]}", message)  # versions of click differ
    assert not re.search("(search|sweep)[.]", message)


def test_a_search_is_proposed_its_own_settings():
    """Of its block, as an argument."""
    done = invoke("search", "a.yaml", "--top", "10")
    assert "No such option '--top'; did you mean search.top=10?" in done.err
