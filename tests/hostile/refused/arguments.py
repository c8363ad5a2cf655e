"""Arguments and options that make no sense."""

from __future__ import annotations

from tests.hostile.refused.refusals import CONFIG, Case, argument, text

SWEEP = "sweep"


def option(name: str, words: tuple[str, ...], said: str) -> Case:
    """A command with a sound config in reach."""
    return Case(name, text("a.yaml", CONFIG), words, said)


CASES = [
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
    argument("null for a block", "training=null", "nothing is given here"),
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
