"""Configs whose values mean nothing, or too much."""

from __future__ import annotations

from tests.hostile.refused.refusals import CONFIG, Case, config


def training(added: str, said: str) -> Case:
    """Something more in the `training` block."""
    return config(added[:60], "", said, CONFIG.replace("10}", f"10, {added}}}"))


def rate(value: str, said: str) -> Case:
    """Another learning rate."""
    return config(f"the rate {value[:20]}", "", said, CONFIG.replace("0.1", value))


def network(block: str, said: str) -> Case:
    """Another network."""
    return config(
        block[:60], "", said, CONFIG.replace("{sizes: [3], activations: [softmax]}", block)
    )


def dataset(block: str, said: str) -> Case:
    """Another data set."""
    return config(block[:60], "", said, CONFIG.replace("{name: iris}", block))


CASES = [
    config("a fraction of a seed", "seed: 1.5", "1.5 is not a whole number of at least 0"),
    config("a negative seed", "seed: -1", "-1 is not a whole number of at least 0"),
    config("no number as a seed", "seed: .nan", ".nan is not a whole number of at least 0"),
    config("an infinite seed", "seed: .inf", ".inf is not a whole number of at least 0"),
    config("a seed of 64 bits", "seed: 9223372036854775808", "it does not fit into 64 bits"),
    config("a true seed", "seed: true", "true is not a whole number of at least 0"),
    config("a quoted seed", 'seed: "7"', "write 7, without quotes"),
    config("a list of seeds", "seed: [1]", "[1] is not a whole number"),
    config("no seed", "seed:", "nothing is given here; write a whole number of at least 0"),
    config("a seed with underscores", "seed: 1_000", "'1_000' is not a whole number"),
    config("a seed in base 60", "seed: 1:30", "'1:30' is not a whole number"),
    config("a huge exponent", "seed: 1e999999999", ".inf is not a whole number"),
    *(
        config(f"the name {name!r}", f"name: {quoted}", "is not a name (")
        for name, quoted in {
            "": '""',
            ".": '"."',
            "..": '".."',
            "a/b": "a/b",
            "/etc": "/etc",
            "a\\b": "'a\\b'",
            "-rf": "-rf",
            ".hidden": ".hidden",
            "a b": "a b",
            "a\nb": '"a\\nb"',
            "a\0b": '"a\\0b"',
            "101 letters": "a" * 101,
            "ü": "ü",
            "a:b": "'a:b'",
            "~": "'~'",
            "$(id)": "$(id)",
            "a;b": "a;b",
            "CON ": "'CON '",
            "a\u202eb": '"a\\u202eb"',
            "../a": "../a",
        }.items()
    ),
    config("a number as a name", "name: 7", "7 is not a name ("),
    config("a list as a description", "description: [a]", "['a'] is not text"),
    config("a number as a description", "description: 7", "write it in quotes: '7'"),
    training("batch_size: 0", "0 is not a whole number greater than 0"),
    training("batch_size: -1", "-1 is not a whole number greater"),
    training("batch_size: 1180591620717411303424", "it does not fit into 64 bits"),
    config(
        "iterations of 0",
        "",
        "0 is not a whole number greater than 0",
        CONFIG.replace("iterations: 10", "iterations: 0"),
    ),
    config(
        "iterations of text",
        "",
        "'many' is not a whole number",
        CONFIG.replace("iterations: 10", "iterations: many"),
    ),
    training("epochs: 2", "'iterations' says already how long to train"),
    config(
        "iterations of none",
        "",
        "training needs 'iterations' or 'epochs'",
        CONFIG.replace("iterations: 10", "batch_size: 1"),
    ),
    rate("0", "0 is not a number greater than 0"),
    rate(".nan", ".nan is not a number"),
    rate(".inf", ".inf is not a number"),
    rate("1e400", ".inf is not a number"),
    rate("9" * 400, "is not a number greater than 0"),
    rate("{schedule: bogus}", "'bogus' is not a schedule (one of step,"),
    training("optimizer: bogus", "'bogus' is not an optimizer"),
    training("optimizer: {type: sgd, momentum: 2}", "2 is not a number"),
    training("optimizer: [sgd]", "is not an optimizer"),
    training("optimizer: {momentum: 0.5}", "an optimizer needs 'type'"),
    training("dtype: float16", "'float16' is not 'float64' or 'float32'"),
    training("dtype: O", "'O' is not 'float64' or 'float32'"),
    training("engine: gpu", "'gpu' is not"),
    training("sampling: bogus", "'bogus' is not"),
    training("clip_norm: -1", "-1 is not a number greater than 0"),
    config("the loss bogus", "", "'bogus' is not a loss", CONFIG.replace("cross_entropy", "bogus")),
    config(
        "the loss [cross_entropy]",
        "",
        "is not a loss",
        CONFIG.replace("cross_entropy", "[cross_entropy]"),
    ),
    config(
        "the loss of nothing",
        "",
        "nothing is given here; write a loss",
        CONFIG.replace("cross_entropy", ""),
    ),
    network("{sizes: [0], activations: [softmax]}", "0 is not a whole number greater than 0"),
    network("{sizes: [], activations: []}", "the list is empty"),
    network(
        "{sizes: [3, 3], activations: [softmax]}",
        "sizes and activations must be equally many, not 2 and 1",
    ),
    network("{sizes: {a: 1}, activations: [softmax]}", "is not a list of sizes"),
    network(
        "{sizes: [1000000000000], activations: [softmax]}",
        "1000000000000 outputs, but iris has 3 classes",
    ),
    network("{sizes: [4], activations: [softmax]}", "iris has 3 classes"),
    network("{sizes: [3], activations: [sofmax]}", "did you mean 'softmax'?"),
    network("big", "'big' is not a mapping of layers"),
    network("{}", "network needs 'layers'"),
    network("{layers: [], sizes: [3], activations: [softmax]}", "give only one form"),
    network("{layers: [dense]}", "'dense' is not a mapping; write {type: dense}"),
    network("{layers: [{units: 3}]}", "a layer needs 'type'"),
    network("{layers: [{type: [a]}]}", "is not a layer"),
    network("{layers: [{type: {a: 1}}]}", "is not a layer"),
    network("{layers: [{type: }]}", "is given here"),
    network("{layers: [{type: conv2d, channels: 2, kernel: [3, 3]}]}", "network.layers[0]"),
    network("{layers: [{type: conv2d, channels: 2, kernel: [-1, 3]}]}", "-1 is not"),
    network("{layers: [{type: dropout, rate: 1}, {type: dense, units: 3}]}", "1 is not a number"),
    dataset("{name: iriss}", "did you mean 'iris'?"),
    dataset("{}", "dataset needs 'name'"),
    dataset("iris", "'iris' is not a mapping of"),
    dataset("{name: iris, path: x.csv}", "remove one of 'name' and 'path'"),
    dataset("{name: [iris]}", "is not a built-in data set"),
    dataset('{path: "a\\0.csv", columns: {target: y}}', "this is not the path of a file"),
    dataset("{name: iris, test_size: 1.0}", "1.0 is not a share of the rows below 1"),
    dataset("{name: iris, test_size: -1}", "-1 is not a share of the rows below 1"),
    dataset("{name: iris, test_size: .nan}", ".nan is not a share of the rows below 1"),
    dataset("{name: iris, test_size: 150}", "leaves none to train on"),
    dataset(
        "{name: iris, test_size: 1000000000000}", "takes 1000000000000 of 150 rows and leaves none"
    ),
    dataset("{name: iris, test_size: given}", "iris has none"),
    dataset("{name: iris, features: bogus}", "'bogus' is not a feature step"),
    dataset("{name: iris, features: {binarize: .nan}}", ".nan is not a number"),
    dataset("{name: iris, target: l2}", "a row-wise norm would make every target 1"),
    dataset(
        "{name: iris, target: standard}", "'standard' scales numbers, but the target is a class"
    ),
    dataset("{name: iris, task: regression}", "iris is a classification data set"),
    config("no key of configs", "bogus: 1", "'bogus' is not a key of the config"),
    config("a slip", "sede: 1", "did you mean 'seed'?"),
    config("a key of Python", "__class__: 1", "'__class__' is not a key of the config"),
    config(
        "a key of pydantic",
        "model_config: {extra: allow}",
        "'model_config' is not a key of the config",
    ),
    config("an empty key", '"": 1', "'' is not a key of the config"),
    config("published text", "published: {test_accuracy: high}", "'high' is not a number"),
    config(
        "published nonsense", "published: {accuracy: 1}", "'accuracy' is not a key of published"
    ),
    config("a published infinity", "published: {test_accuracy: .inf}", ".inf is not a number"),
    config(
        "a sweep without values", "sweep: {grid: {training.batch_size: []}}", "the list is empty"
    ),
    config(
        "a sweep of one value",
        "sweep: {grid: {training.batch_size: 1}}",
        "1 is not a list of values",
    ),
    config(
        "a sweep of nothing", "sweep: {grid: {bogus: [1]}}", "'bogus' is not a key of the config"
    ),
    config(
        "a sweep of names", "sweep: {grid: {name: [a, b]}}", "'name' changes no result, so no sweep"
    ),
    config(
        "a sweep of sweeps", "sweep: {grid: {sweep.seeds: [1]}}", "'sweep.seeds' changes no result"
    ),
    config(
        "a sweep through a number",
        "sweep: {grid: {seed.x: [1]}}",
        "a mapping is not a whole number of at least 0",
    ),
    config("no seeds", "sweep: {seeds: 0}", "0 is not"),
    config("a seed twice", "sweep: {seeds: [1, 1]}", "the seed 1 is given twice"),
    config("a seed twice in two forms", "sweep: {seeds: [1, 1.0]}", "is given twice"),
    config(
        "seeds of the grid",
        "sweep: {seeds: 2, grid: {seed: [1]}}",
        "the seeds are given by 'seeds' already",
    ),
]
