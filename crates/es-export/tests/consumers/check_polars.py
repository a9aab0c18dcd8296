"""Polars of Python reads Parquet, both forms of Arrow IPC, CSV, NDJSON and Avro."""

import polars as pl

from expected import FOLDER, FORMULAS, INTEGERS, WIDTH, column, report, same

frames = {
    "parquet": pl.read_parquet(FOLDER / "all.parquet"),
    "ipc": pl.read_ipc(FOLDER / "all.arrow"),
    "ipc-stream": pl.read_ipc_stream(FOLDER / "all.arrows"),
}
for what, frame in frames.items():
    assert frame.columns == list(FORMULAS)
    assert frame.schema["when_ms"] == pl.Datetime("ms", "UTC") and frame.schema["when_ns"] == pl.Datetime("ns", "UTC")
    assert frame.schema["vector"] == pl.Array(pl.Float32, WIDTH) and frame.schema["i8"] == pl.Int8
    for name in FORMULAS:
        values = frame[name].dt.timestamp("ns") if name == "when_ns" else frame[name]
        values = values.dt.timestamp("ms") if name == "when_ms" else values
        same(values.to_list(), column(name), f"{what}, {name}")

csv = pl.read_csv(FOLDER / "flat.csv", schema_overrides={"u64": pl.UInt64})
for name in INTEGERS + ["flag", "f64", "text", "geo.lat"]:
    same(csv[name].to_list(), column(name), f"csv, {name}")
instants = csv["when_ms"].str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="ms").dt.timestamp("ms")
same(instants.to_list(), column("when_ms"), "csv, when_ms")

ndjson = pl.read_ndjson(FOLDER / "all.ndjson", schema_overrides={"u64": pl.UInt64}, infer_schema_length=None)
for name in INTEGERS + ["flag", "f64", "text", "geo.lat", "tags", "numbers", "place", "vector"]:
    same(ndjson[name].to_list(), column(name), f"ndjson, {name}")
report("polars", pl.__version__, *frames, "csv", "ndjson")
