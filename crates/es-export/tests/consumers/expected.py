"""The rows that the example `write_formats` writes, made up once more."""

import math
import sys
from pathlib import Path

ROWS = 1000
WIDTH = 48
FOLDER = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(".")

FORMULAS = {
    "flag": lambda i: i % 3 == 0,
    "i8": lambda i: i % 200 - 100,
    "i16": lambda i: i * 31 - 15000,
    "i32": lambda i: i * 100003 - 50000000,
    "i64": lambda i: (i - 500) * 9007199254740993,
    "u64": lambda i: 2**64 - 1 - i,
    "f32": lambda i: i / 8 - 50,
    "f64": lambda i: i / 3,
    "when_ms": lambda i: 1356998400000 + i * 60001,
    "when_ns": lambda i: 1356998400000000000 + i * 1000000007,
    "text": lambda i: ["", f"a,{i}", 'say "é"', f"line\nbreak {i}"][i % 4],
    "geo.lat": lambda i: i / 16,
    "bytes": lambda i: bytes([i % 256, 0, 255]),
    "tags": lambda i: [f"t{tag}" for tag in range(i % 3)],
    "numbers": lambda i: [i, -i][: i % 3],
    "vector": lambda i: [i, i + 0.5, -i] + [0.25] * (WIDTH - 3),
    "place": lambda i: {"lat": i / 4, "name": f"p{i}"},
}
NEVER_NULL = {"place"}
INTEGERS = ["i8", "i16", "i32", "i64", "u64"]


def column(name, nulls=True):
    """The values of a column; every tenth is None."""
    none = nulls and name not in NEVER_NULL
    return [None if none and i % 10 == 9 else FORMULAS[name](i) for i in range(ROWS)]


def has_nulls_in_tensors(name):
    return name in ("f32", "f64", "vector")


def same(found, expected, what):
    """Compares two sequences, floats by their bits but for NaN."""
    found, expected = list(found), list(expected)
    assert len(found) == len(expected), f"{what}: {len(found)} rows, not {len(expected)}"
    for row, (one, two) in enumerate(zip(found, expected)):
        equal = one == two or (isinstance(one, float) and isinstance(two, float) and math.isnan(one) and math.isnan(two))
        assert equal, f"{what}, row {row}: {one!r} is not {two!r}"


def report(package, version, *what):
    print(f"{package} {version}: {', '.join(what)}: {ROWS} rows agree")
