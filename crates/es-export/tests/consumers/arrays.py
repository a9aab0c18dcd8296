"""The rows of the tensors, as NumPy has them."""

import numpy as np

from expected import WIDTH, column, has_nulls_in_tensors

DTYPES = {
    "flag": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u64": "uint64", "f32": "float32",
    "f64": "float64", "when_ms": "datetime64[ms]", "vector": "float32",
}


def expected(name, dtype):
    values = column(name, nulls=has_nulls_in_tensors(name))
    if name == "vector":
        values = [[np.nan] * WIDTH if value is None else value for value in values]
    return np.array([np.nan if value is None else value for value in values], dtype=dtype)
