"""NumPy reads npy and npz, the latter mapped into memory as well."""

import json

import numpy as np

from expected import FOLDER, ROWS, column, has_nulls_in_tensors, report

DTYPES = {
    "flag": "bool", "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "u64": "uint64", "f32": "float32",
    "f64": "float64", "when_ms": "datetime64[ms]", "vector": "float32",
}


def expected(name, dtype):
    values = column(name, nulls=has_nulls_in_tensors(name))
    if name == "vector":
        values = [[np.nan] * 4 if value is None else value for value in values]
    values = [np.nan if value is None else value for value in values]
    return np.array(values, dtype=dtype)


with np.load(FOLDER / "tensors.npz", allow_pickle=False) as archive:
    assert archive.files == list(DTYPES), archive.files
    for name, dtype in DTYPES.items():
        array = archive[name]
        assert array.dtype == np.dtype(dtype), f"{name}: {array.dtype}"
        np.testing.assert_array_equal(array, expected(name, dtype), err_msg=name)

matrix = np.load(FOLDER / "matrix.npy", mmap_mode="r", allow_pickle=False)
assert matrix.shape == (ROWS, 7) and matrix.dtype == "<f8" and matrix.flags.c_contiguous
description = json.loads((FOLDER / "matrix.npy.features.json").read_text())
assert description["rows"] == ROWS
for feature in description["features"]:
    first, name = feature["matrix_column"], feature["name"]
    width = feature["shape"][0] if feature["shape"] else 1
    found = matrix[:, first : first + width]
    np.testing.assert_array_equal(found, expected(name, "float64").reshape(ROWS, width), err_msg=name)
    assert feature["nulls"] == np.isnan(found).sum(), feature
integers = np.load(FOLDER / "integers.npy", allow_pickle=False)
assert integers.dtype == "<i8"
np.testing.assert_array_equal(integers[:, 0], expected("i64", "int64"))
report("numpy", np.__version__, "npy", "npz")
