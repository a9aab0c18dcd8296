"""PyArrow reads the training set, compares it with its manifest and its source, and notes what it found."""

import datetime
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from training_set import EXPECTED, FEATURES, FOLDER, PARTS, PROJECT, TARGET, manifest, report

ARROW = {
    "LargeUtf8": "large_string", "Int32": "int32", "Int64": "int64", "Float64": "double",
    'Timestamp(Millisecond, Some("UTC"))': "timestamp[ms, tz=UTC]",
}


def describe(column):
    numbers = column
    if pa.types.is_large_string(column.type):
        numbers = pc.binary_length(column)
    elif pa.types.is_timestamp(column.type):
        numbers = column.cast(pa.int64())
    elif pa.types.is_floating(column.type):
        assert not pc.any(pc.is_nan(column)).as_py(), "a null is to be a null, and not NaN"
    found = {"type": str(column.type), "nulls": column.null_count, "sum": pc.sum(numbers).as_py()}
    return found | {"magnitude": pc.sum(pc.abs(numbers)).as_py()}


found = {}
for part in PARTS:
    table = pq.read_table(FOLDER / part)
    columns = {name: describe(table.column(name)) for name in table.column_names}
    found[part] = {"rows": len(table), "columns": columns}
EXPECTED.write_text(json.dumps(found, indent=2))

told = manifest()
types = {column["name"]: ARROW[column["arrow"]] for column in told["columns"]}
rows = {part: found[part]["rows"] for part in PARTS}
assert {part["name"]: part["rows"] for part in told["parts"]} == rows, f"{rows}, and not as the manifest says"
for part in PARTS:
    columns = found[part]["columns"]
    assert {name: column["type"] for name, column in columns.items()} == types, columns
    # A row without features is one of an entity's first days, and not every row.
    assert all(columns[name]["nulls"] < found[part]["rows"] / 10 for name in FEATURES), columns

# All parts together are the flights that were asked for.
source = pq.read_table(PROJECT / "data/flights.parquet")
until = pa.scalar(datetime.datetime(2013, 10, 1, tzinfo=datetime.timezone.utc), pa.timestamp("ms", "UTC"))
source = source.filter(pc.less(source.column("time_hour"), until))
assert len(source) == sum(rows.values()), f"{rows}, and {len(source)} rows in the source"
for name in ["origin", "carrier", "dest", "distance", "dep_delay", "air_time", "time_hour"]:
    wanted = describe(source.column(name))
    for field in ["nulls", "sum", "magnitude"]:
        total = sum(found[part]["columns"][name][field] for part in PARTS)
        assert total == wanted[field], f"{name}: {field} {total}, and {wanted[field]} in the source"

parts = [(part["rows"], part["columns"][TARGET]["sum"]) for part in found.values()]
report("pyarrow", pa.__version__, parts, "parquet")
