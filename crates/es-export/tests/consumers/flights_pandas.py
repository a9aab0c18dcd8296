"""pandas reads the training set as most programs have it do."""

import pandas as pd

from training_set import FOLDER, PARTS, agree, report

DTYPES = {
    "large_string": "str", "int32": "int32", "int64": "int64", "double": "float64",
    "timestamp[ms, tz=UTC]": "datetime64[ms, UTC]",
}


def dtype_of(column):
    # Integers with nulls become floats, as NumPy has no null.
    return "float64" if column["nulls"] and column["type"].startswith("int") else DTYPES[column["type"]]


def numbers(column):
    if column.dtype == "str":
        return column.str.len()
    return column.astype("int64") if str(column.dtype).startswith("datetime") else column


def read(part):
    frame = pd.read_parquet(FOLDER / part)
    found = {name: (frame[name].dtype, frame[name].isna().sum(), numbers(frame[name]).sum()) for name in frame}
    return agree(part, len(frame), found, dtype_of)


report("pandas", pd.__version__, [read(part) for part in PARTS], "parquet")
