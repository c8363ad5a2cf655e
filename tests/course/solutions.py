"""Model solutions of the exercises, and wrong attempts with what is said of them.

An attempt is a list of edits of the exercise's file: what stands there, and what replaces it.
"""

from __future__ import annotations

Edits = list[tuple[str, str]]

NORMALIZED = (
    "{type: dense, units: 32}\n    - {type: batch_norm}\n    - {type: activation, name: tanh}"
)
_HIDDEN = "{type: dense, units: 32, activation: tanh}"
_CONV = "{type: conv2d, channels: 4, kernel: 3, activation: relu}\n    - {type: max_pool2d}\n    - "
_FLATTEN = "\n    - {type: flatten}"
_SECOND = "{type: conv2d, channels: 6, kernel: 2, activation: relu}\n    - "
_IN_6 = "{type: flatten}\n    - {type: dense, units: 32, activation: relu}"
_DECAY = "optimizer: {type: adam, weight_decay: 0.01}"
_RELUS = "relu, relu, relu, relu, relu, relu, relu, relu, relu"

SOLUTIONS: dict[int, list[Edits]] = {
    1: [
        [("features: none", "features: standard")],
        [("features: none", "features: robust"), ("rate: 0.01", "rate: 0.02")],
    ],
    3: [[("[8, 2]", "[5, 2]"), ("linear, ", f"{bent}, ")] for bent in ("tanh", "relu")],
    4: [
        [("glorot_uniform", "he_normal")],
        [(_RELUS, _RELUS.replace("relu", "tanh"))],
    ],
    5: [
        [("learning_rate: 0.002", f"learning_rate: {{schedule: {falling}}}")]
        for falling in ("cosine, initial: 0.02", "one_cycle, peak: 0.03")
    ],
    6: [[(_IN_6, f"{_CONV}{second}{{type: flatten}}")] for second in ("", _SECOND)],
    7: [
        [("optimizer: adam", _DECAY)],
        [("batch_size: 16", "batch_size: 16, augment: {noise: 0.3}")],
    ],
    8: [[(_HIDDEN, NORMALIZED), ("size: 3", f"size: {rows}")] for rows in (32, 24)],
    9: [
        [("iterations: 2000", f"iterations: {end}"), ("every: 1000", f"every: {every}")]
        for end, every in ((400, 10), (500, 20))
    ],
    10: [
        [
            ("standard", f"standard, validation_size: {share}"),
            ("seeds: 1", f"seeds: {seeds}"),
            ("0.001, 0.01, ", ""),
        ]
        for share, seeds in ((0.2, 10), (0.25, 5))
    ],
}

_DIVERGING_1 = [("0.01", "0.001"), ("0.01", "3")]
_SIZES = "sizes: [32, 32,"
_OTHER_SIZES = ["sizes: [32, 16,", "sizes: [48, 32,"]
_DIVERGING_5 = ["1", "0.5", "{schedule: cosine, initial: 2}"]

# (lesson, edits, criterion, what it says, whole or from its beginning on)
WRONG: list[tuple[int, Edits, str, str]] = [
    *((1, [(old, new)], "stable", "training diverges with ") for old, new in _DIVERGING_1),
    *((3, [("[8, 2]", f"[{n}, 2]")], "small", "it has ") for n in (7, 9)),
    *((4, [(_SIZES, sizes)], "layers", "its dense layers have [") for sizes in _OTHER_SIZES),
    (4, [(_RELUS, _RELUS[6:] + ", linear")], "nonlinear",
     "8 of 9 hidden layers have an activation"),
    *((5, [("rate: 0.002", f"rate: {r}")], "stable", "training diverges") for r in _DIVERGING_5),
    *((6, [("units: 32", f"units: {n}")], "small", "it has ") for n in (24, 40)),
    (7, [("optimizer: adam", _DECAY.replace("0.01", "0.00001"))], "gap",
     "the gap between test and "),
    (9, [("every: 1000", "every: 500")], "readable", "the whole curve has 4 points; 20 are asked"),
    (1, [("0.01,", "0.00000001,")], "least squares", "its training error is "),
    (1, [("none", "minmax"), ("0.01,", "2,")], "stable", "training diverges with "),
    (1, [("autompg, features: none", "autompg, features: standard, test_size: 0.9")], "task",
     "dataset.test_size is 0.9, and "),
    (1, [("[1]", "[8, 1]"), ("[linear]", "[tanh, linear]")], "task", "network.layers.0.units is "),
    (1, [("epochs: 40", "epochs: 4000")], "task",
     "training.epochs is 4000, and 40 in the exercise"),
    (3, [("[8, 2]", "[5, 2]")], "not linear", "it is linear: two matrices in a row are one matrix"),
    (3, [("linear, ", "tanh, ")], "small", "it has 42 parameters, 16 of them in 0.weight; it may"),
    (3, [("[8, 2]", "[2, 2]"), ("linear, ", "tanh, ")], "accurate",
     "its accuracy on new rows is below 0.9; on training rows it is 0."),
    (3, [("rows: 400", "rows: 400, factor: 0.1")], "task", "dataset.factor is 0.1, and "),
    (4, [("glorot_uniform", "lecun_normal")], "forward", "values become 0.0"),
    (4, [("glorot_uniform", "{type: he_normal, scale: 2}")], "forward", "values become "),
    (4, [("[32, 32, 32, 32, 32, 32, 32, 32, 32, 10]", "[32, 10]"), (_RELUS, "relu")], "layers",
     "its dense layers have [32, 10] units; the exercise has [32, "),
    (4, [(_RELUS, _RELUS.replace("relu", "linear"))], "nonlinear", "0 of 9 hidden layers have an "),
    (4, [(_RELUS, "relu, " + _RELUS[6:].replace("relu", "linear"))], "nonlinear",
     "1 of 9 hidden layers have an activation that is not linear"),
    (4, [("glorot_uniform", "zeros")], "backward", "gradients become "),
    (5, [("0.002", "0.003")], "settles",
     "it ends lower than with a constant rate of 0.003 for 0 of"),
    (5, [("0.002", "{schedule: cosine, initial: 0.002}")], "close", "its training error is "),
    (5, [("batch_size: 1", "batch_size: 64")], "task",
     "training.batch_size is 64, and 1 in the exe"),
    (6, [("units: 32", "units: 5")], "convolution", "it has 0 conv2d layers"),
    (6, [(_IN_6, f"{_CONV.partition('-')[0]}- {{type: flatten}}")], "small",
     "it has 1,490 parameters, 1,440 of them in 2.weight; it may have 450"),
    (6, [(_IN_6, f"{{type: conv2d, channels: 5, kernel: 8, activation: relu}}{_FLATTEN}")],
     "better than dense", "on new rows it is ahead of a dense network with 5 hidden units for "),
    (7, [("optimizer: adam", _DECAY.replace("0.01", "1"))], "not too much",
     "on new rows it is not better than a linear model"),
    (7, [("optimizer: adam", _DECAY.replace("0.01", "0.0001"))], "new rows",
     "on new rows its loss has not fallen by a quarter"),
    (7, [("units: 64", "units: 4")], "layers",
     "its dense layers have [4, 4, 2] units; the exercise"),
    (7, [("optimizer: adam", "optimizer: sgd")], "task", "training.optimizer.type is sgd, and "),
    (7, [("activation: relu", "activation: sigmoid")], "layers", "where the exercise has {name: "),
    (7, [], "gap", "the gap between test and training loss is not halved"),
    (7, [("network:", "network:\n  initializer: zeros")], "layers", "where the exercise has {init"),
    (7, [("rows: 600", "rows: 6000")], "task", "dataset.rows is 6000, and 600 in the exercise"),
    (8, [("epochs: 5", "epochs: 50")], "task", "training.epochs is 50, and 5 in the exercise"),
    (8, [(_HIDDEN, NORMALIZED.replace("tanh", "relu")), ("size: 3", "size: 32")], "layers",
     "where the exercise has {name: tanh}, it has {name: relu}"),
    (8, [("network:", "network:\n  initializer: orthogonal"), ("size: 3", "size: 32")], "layers",
     "where the exercise has {initializer: {type: glorot_uniform, scale: 1.0}}, it has {init"),
    (8, [(_HIDDEN, f"{_HIDDEN}\n    - {{type: batch_norm}}")], "weights × 0.3", "its accuracy on "),
    (8, [("batch_size: 3", "batch_size: 300")], "batch_norm", "it has 0 batch_norm between its "),
    (8, [(_HIDDEN, NORMALIZED)], "weights × 3", "its accuracy on new rows is below 0.8; "),
    (8, [("units: 32", "units: 8"), ("batch_size: 3", "batch_size: 32")], "layers",
     "its dense layers have [8, 8, 8, 8, 8, 10] units; the exercise has [32, "),
    (9, [("evaluate_every: 1000", "evaluate_every: 20")], "minimum",
     "after 2,000 iterations the m"),
    (9, [("iterations: 2000", "iterations: 20")], "minimum",
     "after 20 iterations the mean validati"),
    (9, [("iterations: 2000", "iterations: 4000")], "minimum",
     "4,000 iterations are more than the "),
    (9, [("iterations: 2000", "iterations: 400\n  early_stopping: {}")], "task",
     "training.early_stopping"),
    (10, [("seeds: 1", "seeds: 3")], "seeds",
     "seeds for each setting: 3; at least 5 are asked for"),
    (10, [("0.001, 0.01, 0.15, ", "")], "kept",
     "dropped, and perhaps the best by ten other seeds: 0"),
    (10, [("seeds: 1", "seeds: [3, 5, 8, 13, 21]")], "seeds",
     "its seeds are chosen one by one; a "),
    (10, [("standard", "standard, validation_size: 1")], "validation",
     "the board is ordered by 1 validation rows, of 142 without test rows; a tenth to a half"),
    (10, [("0.2]", "0.2], training.batch_size: [8]")], "dropped",
     "not in the grid of the exercise: t"),
    (10, [("0.15, 0.2]", "0.15]")], "kept",
     "dropped, and perhaps the best by ten other seeds: 0.2"),
    (10, [("0.15, ", "")], "kept", "dropped, and perhaps the best by ten other seeds: 0.15"),
    (10, [("0.001, ", "")], "dropped", "kept, and surely worse by ten other seeds: 0.01"),
    (10, [("0.001", "0.3")], "dropped", "not in the grid of the exercise: 0.3"),
    (10, [("sweep:", "seed: 7\nsweep:")], "task", "seed is 7, and 42 in the exercise"),
    (10, [("sweep:", "sweep:\n  order_by: loss")], "task", "sweep.order_by is loss, and "),
]  # fmt: skip
