"""pandas reads Parquet, Arrow IPC files, CSV and NDJSON."""

import pandas as pd

from expected import FOLDER, FORMULAS, column, report, same

frames = {
    "parquet": pd.read_parquet(FOLDER / "all.parquet", dtype_backend="pyarrow"),
    "ipc": pd.read_feather(FOLDER / "all.arrow", dtype_backend="pyarrow"),
    "csv": pd.read_csv(FOLDER / "flat.csv", dtype_backend="pyarrow", keep_default_na=False, na_values=[""]),
    # Numbers as text: pandas would read 64-bit integers as floats where some are missing.
    "ndjson": pd.read_json(FOLDER / "all.ndjson", lines=True, dtype=False),
}
for what, frame in frames.items():
    assert len(frame) == 1000, what
    for name in ["i8", "i16", "i32", "f64", "geo.lat"]:
        found = frame[name].sum()
        expected = sum(value for value in column(name) if value is not None)
        assert abs(found - expected) < 1e-6, f"{what}, {name}: {found} is not {expected}"
    assert frame["i64"].isna().sum() == 100, what
parquet = frames["parquet"]
assert str(parquet["when_ms"].dtype) == "timestamp[ms, tz=UTC][pyarrow]", parquet["when_ms"].dtype
for name in ["flag", "i64", "u64", "f64", "text"]:
    found = [None if pd.isna(value) else value for value in parquet[name]]
    same(found, column(name), f"parquet, {name}")
# Without a backend, as most programs call it.
plain = pd.read_parquet(FOLDER / "all.parquet")
assert plain["f32"].dtype == "float32" and plain["f64"].isna().sum() == 100
assert list(plain["vector"][1]) == FORMULAS["vector"](1)
json = frames["ndjson"]
assert json["place"][3] == {"lat": 0.75, "name": "p3"} and json["tags"][2] == ["t0", "t1"]
report("pandas", pd.__version__, *frames)
