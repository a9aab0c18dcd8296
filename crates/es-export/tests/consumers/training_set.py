"""The flights training set, and what PyArrow found in it: every other package has to find the same."""

import json
import sys
from pathlib import Path

PROJECT = Path(sys.argv[1])
FOLDER = PROJECT / "out/training_set"
RECORDS = PROJECT / "out/training_records"
EXPECTED = PROJECT / "expected.json"

PARTS = ["train", "validation", "test"]
TARGET = "dep_delay"
FEATURES = ["distance", "route_delays__delay_mean_7d", "route_delays__delay_p90_28d", "route_delays__flights_28d"]


def manifest(folder=FOLDER):
    return json.loads((folder / "_manifest.json").read_text())


def expected():
    """Of each part its `rows`, and of each of its `columns` the `type`, `nulls`, `sum`, and `magnitude`.

    The sum is of the numbers, of the milliseconds of instants, and of the lengths of texts. The magnitude is
    the sum of absolute values: what the error of a sum is a share of.
    """
    return json.loads(EXPECTED.read_text())


def agree(part, rows, found, dtype_of, rounding=1e-12):
    """Compares a part with what PyArrow found: `found` has of each column its dtype, its nulls and its sum.

    `dtype_of` says which dtype a column has in this package, and None of those that it leaves out. Sums of
    integers are exact. Returns the rows and the sum of the target, for the report.
    """
    wanted = expected()[part]
    assert rows == wanted["rows"], f"{part}: {rows} rows, not {wanted['rows']}"
    columns = {name: column for name, column in wanted["columns"].items() if dtype_of(column) is not None}
    assert list(found) == list(columns), f"{part}: {list(found)}"
    for name, (dtype, nulls, total) in found.items():
        column = columns[name]
        assert str(dtype) == dtype_of(column), f"{part}, {name}: {dtype} is not {dtype_of(column)}"
        assert nulls == column["nulls"], f"{part}, {name}: {nulls} nulls, not {column['nulls']}"
        error = rounding * column["magnitude"] if column["type"] == "double" else 0
        assert abs(total - column["sum"]) <= error, f"{part}, {name}: {total!r} is not {column['sum']!r}"
    return rows, found[TARGET][2]


def report(package, version, parts, *what):
    rows, total = (sum(column) for column in zip(*parts))
    assert rows == manifest()["rows"]
    print(f"{package} {version}: {', '.join(what)}: {rows} rows agree, {TARGET} sums to {int(total)}")
