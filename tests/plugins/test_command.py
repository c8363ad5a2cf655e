"""`nnrun check FILE.py`, `--points`, and `nnrun init --layer`, as a student uses them."""

from __future__ import annotations

from pathlib import Path

import pytest

SOLUTION = """\
        self.g.grad[...] = (dy * self.x / (1 + np.abs(self.x))).sum(axis=0)
        return dy * self.g.value / (1 + np.abs(self.x)) ** 2
"""
UNWRITTEN = "        raise NotImplementedError\n"


@pytest.fixture
def started(folder, lab) -> Path:
    """The layer that `nnrun init --layer` writes."""
    done = lab("init", "--layer", "mylayer.py")
    assert (0, "") == (done.code, done.out), done.said
    return Path("mylayer.py")


def test_the_start_of_a_layer_lacks_its_gradient_alone(started, lab) -> None:
    """Written, it passes all checks, and trains."""
    done = lab("check", "mylayer.py")
    assert 3 == done.code
    assert "error: mylayer.py:16: mylayer: backward: it is not written yet" in done.err
    Path("own.yaml").write_text(
        "dataset: {name: iris}\nloss: cross_entropy\n"
        "training: {learning_rate: 0.1, iterations: 5}\n"
        "network: {layers: [{type: mylayer}, {type: dense, units: 3, activation: softmax}]}\n"
    )
    done = lab("train", "own.yaml", "--plugin", "mylayer.py")
    assert "error: mylayer.py:50: it is not written yet" in done.err
    text = started.read_text()
    assert 1 == text.count(UNWRITTEN)
    started.write_text(text.replace(UNWRITTEN, SOLUTION))
    done = lab("check", "mylayer.py")
    assert (0, "") == (done.code, done.err)
    assert "10 of 10 checks passed" in done.out
    lab.ok("train", "own.yaml", "--plugin", "mylayer.py")


def test_points_are_for_a_grader(started, lab) -> None:
    """One for each check; those that a mistake leaves without sense count as missed."""
    found = []
    mistaken = SOLUTION.replace(".sum(", ".mean(")
    for body in (UNWRITTEN, mistaken, SOLUTION):
        Path("graded.py").write_text(started.read_text().replace(UNWRITTEN, body))
        done = lab("check", "graded.py", "--points")
        said = done.json
        found.append((done.code, said["points"], said["of"]))
    assert [(3, 2, 10), (3, 9, 10), (0, 10, 10)] == found
    wrong = [check for check in said["parts"][0]["checks"] if not check["passed"]]
    assert ([], "mylayer") == (wrong, said["parts"][0]["name"])


def test_a_part_of_nnruns_own_name_is_checked_and_not_trained(folder, lab, write) -> None:
    """It is compared with nnrun's."""
    write(
        "@register('activation', 'tanh')\nclass Tanh(Activation):\n"
        "    def value(self, x, y):\n        np.sinh(x, out=y)\n"
        "    def gradient(self, dy, x, y, dx):\n        np.multiply(dy, np.cosh(x), out=dx)\n"
    )
    done = lab("check", "mine.py")
    assert (3, True) == (done.code, "beside tanh: y is not that of tanh" in done.err)
    assert "the name is one of nnrun's own, under which it cannot be trained" in done.out
    assert "'tanh' is a name of nnrun's own" in lab.refused(
        "check", "all.yaml", "--plugin", "mine.py"
    )


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("dense", "mine.py:4: 'dense' is a name of nnrun's own (a layer)"),
        ("twin", "mine.py:7: 'twin' is registered at mine.py:4 already"),
    ],
)
def test_a_name_that_could_not_be_registered_is_refused(folder, lab, write, name, says) -> None:
    """As `--plugin` refuses it: one of another kind, or one that the file has twice."""
    write(
        f"@register('metric', '{name}', needs='values')\ndef own(true, predicted):\n"
        f"    return 0.0\n"
        f"@register('loss', 'twin')\nclass Other(Loss): ...\n"
    )
    for words in (("check", "mine.py"), ("check", "all.yaml", "--plugin", "mine.py")):
        assert says in lab.refused(*words)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("check", "parts.py", "all.yaml"), "parts.py is a plugin file and all.yaml a config"),
        (("check", "none.py"), "none.py does not exist"),
        (("init", "--layer", "parts.py"), "parts.py: exists already, and nothing is overwritten"),
        (("init", "--layer", "mine"), "a layer is written in a Python file, like mylayer.py"),
        (("init", "mine", "--layer", "mine.py"), "--layer writes a layer and no config"),
    ],
)
def test_what_cannot_be_done_is_said(folder, lab, words, says) -> None:
    """And nothing is written."""
    before = sorted(folder.iterdir())
    done = lab(*words)
    assert (2, True, before) == (done.code, says in done.err, sorted(folder.iterdir()))


def test_a_gradient_that_is_another_on_purpose_is_not_compared(folder, lab, write) -> None:
    """A straight-through estimator says so."""
    code = (
        "@register('activation', 'steps')\nclass Steps(Activation):\n    exact_gradient = False\n"
        "    def value(self, x, y):\n        np.round(x, out=y)\n"
        "    def gradient(self, dy, x, y, dx):\n        dx[...] = dy\n"
    )
    for text, exit_code in ((code, 0), (code.replace("    exact_gradient = False\n", ""), 3)):
        write(text)
        assert exit_code == lab("check", "mine.py").code


def test_a_part_that_exits_is_an_error_of_its_line(folder, lab, write) -> None:
    """Neither a check nor a training ends in silence."""
    code = "import sys\n@register('activation', 'quits')\nclass Quits(Activation):\n"
    write(f"{code}    def value(self, x, y):\n        sys.exit(0)\n")
    checked = lab("check", "mine.py")
    Path("q.yaml").write_text(
        "dataset: {name: iris}\nnetwork: {sizes: [3], activations: [quits]}\n"
        "loss: mean_squared\ntraining: {learning_rate: 0.1, iterations: 3}\n"
    )
    trained = lab("train", "q.yaml", "--plugin", "mine.py")
    assert (3, 1) == (checked.code, trained.code), trained.said
    assert all("SystemExit: 0" in done.err for done in (checked, trained))
