"""PyArrow reads Parquet, both forms of Arrow IPC, CSV and NDJSON."""

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.json
import pyarrow.parquet as pq

from expected import FOLDER, FORMULAS, WIDTH, column, report, same

TYPES = {
    "flag": pa.bool_(), "i8": pa.int8(), "i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64(), "u64": pa.uint64(),
    "f32": pa.float32(), "f64": pa.float64(), "when_ms": pa.timestamp("ms", "UTC"), "when_ns": pa.timestamp("ns", "UTC"),
}


def check(table, what):
    assert table.column_names == list(FORMULAS), f"{what}: {table.column_names}"
    for name, arrow in TYPES.items():
        assert table.schema.field(name).type == arrow, f"{what}, {name}: {table.schema.field(name).type}"
    vector = table.schema.field("vector").type
    # A Parquet file holds lists; its Arrow schema says of which length.
    assert pa.types.is_fixed_size_list(vector) and vector.list_size == WIDTH, f"{what}: {vector}"
    assert table.schema.field("when_ns").type == pa.timestamp("ns", "UTC")
    for name in FORMULAS:
        values = table.column(name)
        if name.startswith("when"):
            values = values.cast(pa.int64())
        same(values.to_pylist(), column(name), f"{what}, {name}")


check(pq.read_table(FOLDER / "all.parquet"), "parquet")
metadata = pq.ParquetFile(FOLDER / "all.parquet").metadata
statistics = metadata.row_group(0).column(4).statistics
assert statistics.null_count == 100 and statistics.min == FORMULAS["i64"](0), statistics
with pa.memory_map(str(FOLDER / "all.arrow")) as file:
    check(pa.ipc.open_file(file).read_all(), "ipc")
with open(FOLDER / "all.arrows", "rb") as file:
    check(pa.ipc.open_stream(file).read_all(), "ipc-stream")

options = pa.csv.ConvertOptions(
    strings_can_be_null=True, quoted_strings_can_be_null=False, null_values=[""], column_types={"u64": pa.uint64()}
)
parse = pa.csv.ParseOptions(newlines_in_values=True)
table = pa.csv.read_csv(FOLDER / "flat.csv", parse_options=parse, convert_options=options)
for name in table.column_names:
    values = table.column(name)
    if name.startswith("when"):
        unit = "ms" if name == "when_ms" else "ns"
        values = values.cast(pa.timestamp(unit, "UTC")).cast(pa.int64())
    expected = column(name)
    same(values.to_pylist(), expected, f"csv, {name}")

report("pyarrow", pa.__version__, "parquet", "ipc", "ipc-stream", "csv")
