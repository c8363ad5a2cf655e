"""Configs, arguments and options that are refused: no YAML, or values without a meaning."""

from __future__ import annotations

from itertools import pairwise

from tests.hostile.refused.refusals import CONFIG, Case, argument, config, text, whole

# Files that are no YAML, or YAML that would do more than hold data.

SYNTAX = [
    # Numbers
    config(
        "5,000 hexadecimal digits", f"seed: 0x{'f' * 5000}", "a number of 5002 characters is too"
    ),
    config(
        "5,000 octal digits", f"seed: 0o{'7' * 5000}", "a number of 5002 characters is too long"
    ),
    config("3,500 digits", f"seed: {'1' * 3500}", "it does not fit into 64 bits"),
    config("3,500 hexadecimal digits", f"seed: 0x{'f' * 3498}", "it does not fit into 64 bits"),
    config(
        "a float of 400 digits",
        f"description: !!float {'1' * 400}",
        "a number of 400 characters is too large for a float",
    ),
    # Nothing at all
    whole("an empty file", "", "a.yaml:1:1: the file is empty; `nnrun init` writes a config"),
    whole("a mark of the order of bytes", b"\xef\xbb\xbf", "a.yaml:1:1: the file is empty"),
    whole("blanks", "  \n\n", "a.yaml:1:1: the file is empty"),
    whole("a comment", "# nothing\n", "a.yaml:1:1: the file is empty"),
    whole("a start of a document", "---\n", "a.yaml:2:1: the file is empty"),
    whole("null", "null\n", "a.yaml:1:1: the file is empty"),
    whole("a tilde", "---\n~\n", "a.yaml:2:1: the file is empty"),
    # What ends a line in YAML 1.1 ends none in YAML 1.2
    whole("U+2028", CONFIG.replace("loss:", "# \u2028loss:"), "the config needs 'loss'"),
    whole("U+2029", CONFIG.replace("loss:", "# \u2029loss:"), "the config needs 'loss'"),
    whole("U+0085", CONFIG.replace("loss:", "# \x85loss:"), "the config needs 'loss'"),
    # Tags and what else would run code or reach out
    *(
        config(f"the tag {tag}", f"description: {tag} x", f"the tag '{tag}' is not allowed")
        for tag in (
            "!!python/name:os.system",
            "!!python/module:os",
            "!!python/object/apply:os.system",
            "!!python/object/new:os.system",
            "!!python/object:os.system",
            "!!python/tuple",
            "!!binary",
            "!!timestamp",
            "!!omap",
            "!!set",
            "!!pairs",
            "!!merge",
            "!!value",
            "!!yaml",
            "!include",
            "!ENV",
            "!Ref",
            "!",
        )
        if tag != "!"
    ),
    config(
        "a tag on a list",
        "description: !!python/object/apply:os.system [id]",
        "the tag '!!python/object/apply:os.system' is not allowed",
    ),
    config(
        "a tag on a mapping",
        "description: !!python/object:os.system {a: 1}",
        "the tag '!!python/object:os.system' is not allowed",
    ),
    config("a tag on a key", "!!python/name:os.system x: 1", "the tag '!!python/name:os.system'"),
    config(
        "a verbatim tag", "description: !<tag:evil,1:x> y", "the tag 'tag:evil,1:x' is not allowed"
    ),
    whole("a tag on all", "!!python/object:os.system\n" + CONFIG, "is not allowed"),
    whole(
        "a handle",
        "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!name:os.system x\n",
        "is not allowed",
    ),
    config("a truth that is none", "seed: !!bool 7", "'7' is not what the tag '!!bool' says"),
    config("a null that is none", "seed: !!null 7", "'7' is not what the tag '!!null' says"),
    # Structure
    whole("a list", "- 1\n- 2\n", "a config is a mapping of keys to values"),
    whole("a word", "hello", "a config is a mapping of keys to values"),
    whole("a number", "42", "a config is a mapping of keys to values"),
    whole("quoted nothing", '""', "a config is a mapping of keys to values"),
    whole("an open bracket", "a: [1, 2", "1:9: this is not YAML: did not find expected ',' or ']'"),
    whole("an open brace", "a: {b: 1", "1:9: this is not YAML: did not find expected ',' or '}'"),
    whole("an open quote", 'a: "b', "1:6: this is not YAML: unexpected end of stream"),
    whole("a closed bracket", "a: 1]\nb: ]", "2:4: this is not YAML: did not find expected node"),
    whole(
        "a directive", "%YAML 9.9\n---\na: 1\n", "1:1: this is not YAML: incompatible YAML document"
    ),
    whole("a reserved sign", "a: @b", "this is not YAML"),
    whole("a backquote", "a: `b`", "this is not YAML"),
    whole("an odd escape", 'a: "\\q"', "1:5: this is not YAML: unknown escape character"),
    whole("a short escape", 'a: "\\x1"', "1:7: this is not YAML: did not find expected hexdecimal"),
    whole(
        "an escape beyond Unicode",
        'a: "\\U00110000"',
        "this is not YAML: invalid Unicode character escape",
    ),
    whole(
        "an escaped surrogate",
        'description: "\\ud800"',
        "this is not YAML: invalid Unicode character escape",
    ),
    whole("1,000 brackets", "[" * 1000, "nested deeper than 40 levels"),
    whole("100,000 brackets", "[" * 100_000, "nested deeper than 40 levels"),
    whole("100,000 braces", "{a: " * 100_000, "nested deeper than 40 levels"),
    whole("100,000 dashes", "- " * 100_000, "nested deeper than 40 levels"),
    whole("41 levels", "a: " + "[" * 41 + "]" * 41, "nested deeper than 40 levels"),
    whole("deep keys", "? " * 100_000, "a.yaml:1:3: a key must be a word"),
    whole("an end and a start", CONFIG + "...\n---\na: 1\n", "a second document starts here"),
    config(
        "a key twice in a block", "published: {source: a, source: b}", "'source' is given twice"
    ),
    config("an alias as a key", "x: &x a\n*x : 1", "a key must be a word"),
    # Anchors
    config("an anchor below", "seed: *x\ndescription: &x a", "there is no anchor '&x' above"),
    config(
        "an anchor within itself", "description: &x [*x]", "'*x' stands inside of what it repeats"
    ),
    config(
        "a billion laughs",
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefghi")),
        "with its aliases written out, this is more than 50,000 values",
    ),
    config(
        "a quadratic blow-up",
        f"a: &a [{', '.join('x' * 1000)}]\nb: [{', '.join(['*a'] * 1000)}]\n",
        "with its aliases written out, this is more than 50,000 values",
    ),
    config("60,000 values", f"x: [{'1, ' * 60_000}]", "this is more than 50,000 values"),
    # Characters
    whole("NUL", b"a: 1\0\n", "the character U+0000 is not allowed in YAML"),
    whole("ESC", b"a: \x1b[31m\n", "the character U+001B is not allowed in YAML"),
    whole("DEL", b"a: \x7f\n", "the character U+007F is not allowed in YAML"),
    whole("U+0081", "a: \x81\n", "the character U+0081 is not allowed in YAML"),
    whole("U+FFFE", "a: \ufffe\n", "the character U+FFFE is not allowed in YAML"),
    whole("U+FFFF", "a: \uffff\n", "the character U+FFFF is not allowed in YAML"),
    whole("an encoded surrogate", b"a: \xed\xa0\x80\n", "byte 0xed is not UTF-8"),
    whole(
        "Latin-1",
        "a: 1\n# Größe: ü\n".encode("latin-1"),
        "a.yaml:2:5: byte 0xf6 is not UTF-8; save the file with UTF-8",
    ),
    whole("UTF-16", CONFIG.encode("utf-16"), "byte 0xff is not UTF-8"),
    whole(
        "UTF-16 without a mark", CONFIG.encode("utf-16-le"), "the character U+0000 is not allowed"
    ),
    whole("UTF-32", CONFIG.encode("utf-32"), "is not UTF-8"),
    whole("an overlong slash", b"a: \xc0\xaf\n", "byte 0xc0 is not UTF-8"),
    whole("half a character", b"a: \xe2\x82", "byte 0xe2 is not UTF-8"),
    whole("a picture", b"\x89PNG\r\n\x1a\n" + bytes(100), "byte 0x89 is not UTF-8"),
    whole("a program", b"\x7fELF\x02\x01\x01" + bytes(100), "the character U+007F is not allowed"),
    whole("a pickle", b"\x80\x04\x95\x1d\x00", "byte 0x80 is not UTF-8"),
    whole("a zip file", b"PK\x03\x04" + bytes(20), "the character U+0003 is not allowed"),
]


# Configs whose values mean nothing, or too much.


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


VALUES = [
    config("an infinite seed", "seed: .inf", ".inf is not a whole number of at least 0"),
    config("a quoted seed", 'seed: "7"', "write 7, without quotes"),
    config("a list of seeds", "seed: [1]", "[1] is not a whole number"),
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
        "iterations of text",
        "",
        "'many' is not a whole number",
        CONFIG.replace("iterations: 10", "iterations: many"),
    ),
    rate("0", "0 is not a number greater than 0"),
    rate(".nan", ".nan is not a number"),
    rate("1e400", ".inf is not a number"),
    rate("9" * 400, "is not a number greater than 0"),
    rate("{schedule: bogus}", "'bogus' is not a schedule (one of step,"),
    training("optimizer: bogus", "'bogus' is not an optimizer"),
    training("optimizer: {type: sgd, momentum: 2}", "2 is not a number"),
    training("optimizer: [sgd]", "is not an optimizer"),
    training("optimizer: {momentum: 0.5}", "an optimizer needs 'type'"),
    training("dtype: O", "'O' is not 'float64' or 'float32'"),
    training("sampling: bogus", "'bogus' is not"),
    training("clip_norm: -1", "-1 is not a number greater than 0"),
    config("the loss bogus", "", "'bogus' is not a loss", CONFIG.replace("cross_entropy", "bogus")),
    config(
        "the loss [cross_entropy]",
        "",
        "is not a loss",
        CONFIG.replace("cross_entropy", "[cross_entropy]"),
    ),
    network("{sizes: [0], activations: [softmax]}", "0 is not a whole number greater than 0"),
    network("{sizes: [], activations: []}", "the list is empty"),
    network("{sizes: {a: 1}, activations: [softmax]}", "is not a list of sizes"),
    network(
        "{sizes: [1000000000000], activations: [softmax]}",
        "1000000000000 outputs, but iris has 3 classes",
    ),
    network("{sizes: [4], activations: [softmax]}", "iris has 3 classes"),
    network("{sizes: [3], activations: [sofmax]}", "did you mean 'softmax'?"),
    network("big", "'big' is not a mapping of layers"),
    network("{layers: [], sizes: [3], activations: [softmax]}", "give only one form"),
    network("{layers: [dense]}", "'dense' is not a mapping; write {type: dense}"),
    network("{layers: [{units: 3}]}", "a layer needs 'type'"),
    network("{layers: [{type: [a]}]}", "is not a layer"),
    network("{layers: [{type: {a: 1}}]}", "is not a layer"),
    network("{layers: [{type: }]}", "is given here"),
    network("{layers: [{type: conv2d, channels: 2, kernel: [3, 3]}]}", "network.layers[0]"),
    network("{layers: [{type: conv2d, channels: 2, kernel: [-1, 3]}]}", "-1 is not"),
    dataset("{name: iriss}", "did you mean 'iris'?"),
    dataset("iris", "'iris' is not a mapping of"),
    dataset("{name: iris, path: x.csv}", "remove one of 'name' and 'path'"),
    dataset("{name: [iris]}", "is not a built-in data set"),
    dataset('{path: "a\\0.csv", columns: {target: y}}', "this is not the path of a file"),
    dataset("{name: iris, test_size: .nan}", ".nan is not a share of the rows below 1"),
    dataset("{name: iris, test_size: 150}", "leaves none to train on"),
    dataset(
        "{name: iris, test_size: 1000000000000}", "takes 1000000000000 of 150 rows and leaves none"
    ),
    dataset("{name: iris, test_size: given}", "iris has none"),
    dataset("{name: iris, features: bogus}", "'bogus' is not a feature step"),
    dataset("{name: iris, features: {binarize: .nan}}", ".nan is not a number"),
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
        "a sweep of sweeps", "sweep: {grid: {sweep.seeds: [1]}}", "'sweep.seeds' changes no result"
    ),
    config(
        "a sweep through a number",
        "sweep: {grid: {seed.x: [1]}}",
        "a mapping is not a whole number of at least 0",
    ),
    config("a seed twice", "sweep: {seeds: [1, 1]}", "the seed 1 is given twice"),
    config("a seed twice in two forms", "sweep: {seeds: [1, 1.0]}", "is given twice"),
]


# Arguments and options that make no sense.

SWEEP = "sweep"


def option(name: str, words: tuple[str, ...], said: str) -> Case:
    """A command with a sound config in reach."""
    return Case(name, text("a.yaml", CONFIG), words, said)


ARGUMENTS = [
    # Overrides
    argument(
        "an index beyond",
        "network.sizes.7=1",
        "network.sizes has no entry 7; its entries are 0 to 0",
    ),
    argument(
        "an index of many digits",
        f"network.sizes.{'9' * 50}=1",
        "write a number for one of its entries",
    ),
    argument("a negative index", "network.sizes.-1=1", "write a number for one of its entries"),
    argument("an Arabic index", "network.sizes.٣=1", "write a number for one of its entries"),
    argument("an index into a mapping", "training.0=1", "'0' is not a key of training"),
    argument(
        "a key of a number",
        "training.iterations.x=1",
        "training.iterations is 10, which has no 'x'",
    ),
    argument("a key of a word", "dataset.name.x=1", "dataset.name is 'iris', which has no 'x'"),
    argument("an unknown key", "bogus=1", "'bogus' is not a key of the config"),
    argument("a slip", "training.iteration=1", "did you mean 'iterations'?"),
    argument("a key of Python", "__class__=1", "'__class__' is not a key of the config"),
    argument("a key of pydantic", "model_fields=1", "'model_fields' is not a key of the config"),
    argument("a format", "{0.__class__}=1", "'{0.__class__}=1'"),
    argument("an empty step", "training..iterations=1", "is not a key in dotted form"),
    argument("a dot at the start", ".seed=1", "is not a key in dotted form"),
    argument("a dot at the end", "seed.=1", "is not a key in dotted form"),
    argument("no key", "=1", "is not a key in dotted form"),
    argument("no value", "seed=", "nothing is given here; write a whole number"),
    argument("41 steps", ".".join("a" * 41) + "=1", "a key of 41 steps; a config has at most 40"),
    argument("a negative seed", "seed=-1", "-1 is not a whole number of at least 0"),
    argument(
        "a seed of 5,000 digits", f"seed={'1' * 5000}", "a number of 5000 characters is too long"
    ),
    argument(
        "a hexadecimal seed of 5,000 digits",
        f"seed=0x{'f' * 5000}",
        "a number of 5002 characters is too",
    ),
    argument(
        "a tag",
        "description=!!python/name:os.system x",
        "the tag '!!python/name:os.system' is not allowed",
    ),
    argument(
        "a tag on a list", "description=!!python/object/apply:os.system [id]", "is not allowed"
    ),
    argument("an anchor", "description=*x", "there is no anchor '&x' above"),
    argument("an open bracket", "network.sizes=[1", "this is not YAML"),
    argument("an open quote", "description='a", "this is not YAML"),
    argument("two documents", "description=a\n---\nb", "a second document starts here"),
    argument("brackets", "network.sizes=" + "[" * 1000, "nested deeper than 40 levels"),
    argument("ESC", "description=\x1b[31m", "the character U+001B is not allowed in YAML"),
    argument("a surrogate", "description=\udc80", "the character U+DC80 is not allowed in YAML"),
    argument("a name with slashes", "name=../../etc", "'../../etc' is not a name ("),
    argument("a name of the root", "name=/", "'/' is not a name ("),
    argument("a name of nothing", "name=''", "'' is not a name ("),
    argument(
        "a path of NUL",
        'dataset={path: "a\\0.csv", columns: {target: y}}',
        "this is not the path of a file",
    ),
    argument(
        "a path of a FIFO", "dataset={path: /dev/fd/0.csv, columns: {target: y}}", "does not exist"
    ),
    argument(
        "a learning rate of nothing",
        "training.learning_rate=.nan",
        ".nan is not a number greater than 0",
    ),
    argument("null for a block", "training=null", "the config needs 'training'"),
    argument("a list for a block", "training=[1]", "[1] is not a mapping of"),
    argument("another config", "b.yaml", "train takes one config", "train"),
    argument("no assignment", "hello", "this is not of the form key=value", "train"),
    # Grids
    argument("a range of nothing", "seed=range(0,0)", "holds no numbers, or more than", SWEEP),
    argument(
        "a range without an end", "seed=range(0,999999999999)", "or more than 1,000,000", SWEEP
    ),
    argument("a range that goes nowhere", "seed=range(0,5,0)", "holds no numbers", SWEEP),
    argument("a range of text", "seed=range(a)", "is not a whole number", SWEEP),
    argument("a range of 100 digits", f"seed=range({'9' * 100})", "not", SWEEP),
    argument(
        "a comma too many", "seed=1,,2", "there is a comma with nothing before or after it", SWEEP
    ),
    argument(
        "a comma at the end", "seed=1,", "there is a comma with nothing before or after it", SWEEP
    ),
    argument(
        "a seed of text among others", "seed=1,x", "'x' is not a whole number of at least 0", SWEEP
    ),
    argument("names", "name=a,b", "'name' changes no result, so no sweep", SWEEP),
    argument(
        "descriptions", "description=a,b", "'description' changes no result, so no sweep", SWEEP
    ),
    argument("an unknown key of a grid", "bogus=1,2", "'bogus' is not a key of the config", SWEEP),
    argument(
        "a bad value among good ones",
        "training.batch_size=1,0",
        "0 is not a whole number greater",
        SWEEP,
    ),
    option(
        "a key twice",
        ("sweep", "a.yaml", "seed=1,2", "seed=3"),
        "seed is given twice; write seed=1,2",
    ),
    option(
        "seeds twice",
        ("sweep", "a.yaml", "seed=1,2", "--seeds", "3"),
        "the seeds are given by 'seed' already",
    ),
    # Options
    option("no seeds", ("sweep", "a.yaml", "--seeds", "0"), "Invalid value for '--seeds'"),
    option("seeds of text", ("sweep", "a.yaml", "--seeds", "x"), "'x' is not a whole number"),
    option(
        "seeds without end", ("sweep", "a.yaml", "--seeds", "9" * 30), "Invalid value for '--seeds'"
    ),
    option("no jobs", ("sweep", "a.yaml", "-j", "0"), "Invalid value for '-j' / '--jobs'"),
    option("negative jobs", ("sweep", "a.yaml", "-j", "-5"), "Invalid value for '-j' / '--jobs'"),
    option(
        "jobs and a cluster",
        ("sweep", "a.yaml", "-j", "2", "--dask", "tcp://x:1"),
        "and --dask for a cluster",
    ),
    option(
        "an empty cluster",
        ("sweep", "a.yaml", "--dask", ""),
        "--dask needs the address of a scheduler",
    ),
    option(
        "an odd cluster",
        ("sweep", "a.yaml", "--dask", "file:///etc/passwd"),
        "--dask file:///etc/passwd",
    ),
    option("no runs", ("sweep", "a.yaml", "--max-runs", "0"), "Invalid value for '--max-runs'"),
    option(
        "no iterations",
        ("train", "a.yaml", "--iterations", "0"),
        "Invalid value for '--iterations'",
    ),
    option(
        "a tolerance alone",
        ("train", "a.yaml", "--tolerance", "1"),
        "--require-published is; add that",
    ),
    option(
        "nothing published",
        ("train", "a.yaml", "--require-published"),
        "has no numbers under 'published'",
    ),
    option(
        "a negative tolerance",
        ("train", "a.yaml", "--tolerance", "-1"),
        "Invalid value for '--tolerance'",
    ),
    option("an unknown option", ("train", "a.yaml", "--bogus"), "--bogus"),
    option("an option of Python", ("train", "a.yaml", "--__class__"), "--__class__"),
    option(
        "an unknown command", ("trian", "a.yaml"), "'trian' is not a command; did you mean 'train'?"
    ),
    option("a command of nothing", ("",), "'' is not a command"),
    option("no config", ("train",), "Missing argument 'CONFIG'"),
    option("no config to sweep", ("sweep",), "Missing argument"),
    option("overrides without a config", ("check", "seed=1"), "is needed before the overrides"),
    option(
        "a config after overrides",
        ("check", "seed=1", "a.yaml"),
        "paths come before overrides such as seed=1",
    ),
    option("two configs of one name", ("sweep", "a.yaml", "./a.yaml", "name=/"), "is not a name ("),
    option(
        "a run that is not there", ("predict", "nothing", "a.csv"), "'nothing' is no run folder"
    ),
    option(
        "a run above",
        ("predict", "../../etc/s1-0000000000", "a.csv"),
        "s1-0000000000' is no run folder",
    ),
    option(
        "a run of the root", ("predict", "/etc/passwd", "a.csv"), "'/etc/passwd' is a file; the run"
    ),
    option(
        "a report without runs", ("report", "nothing", "-o", "r.html"), "'nothing' is no run folder"
    ),
    option("a key to sort by", ("ls", "--sort", "bogus"), "no results folder results"),
    option("a condition", ("ls", "--where", "bogus"), "no results folder results"),
    option("no top", ("ls", "--top", "0"), "Invalid value for '--top'"),
]
