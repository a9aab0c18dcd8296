"""Polars of Python reads the training set."""

import polars as pl

from training_set import FOLDER, PARTS, agree, report

DTYPES = {
    "large_string": pl.String, "int32": pl.Int32, "int64": pl.Int64, "double": pl.Float64,
    "timestamp[ms, tz=UTC]": pl.Datetime("ms", "UTC"),
}


def numbers(column):
    if column.dtype == pl.String:
        return column.str.len_bytes()
    return column.dt.timestamp("ms") if column.dtype.is_temporal() else column


def read(part):
    frame = pl.read_parquet(FOLDER / part / "*.parquet")
    found = {column.name: (column.dtype, column.null_count(), numbers(column).sum()) for column in frame}
    return agree(part, len(frame), found, lambda column: str(DTYPES[column["type"]]))


report("polars", pl.__version__, [read(part) for part in PARTS], "parquet")
