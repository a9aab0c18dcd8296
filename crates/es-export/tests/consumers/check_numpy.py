"""NumPy reads npy and npz, the latter mapped into memory as well."""

import json

import numpy as np

from arrays import DTYPES, expected
from expected import FOLDER, ROWS, WIDTH, report

with np.load(FOLDER / "tensors.npz", allow_pickle=False) as archive:
    assert archive.files == list(DTYPES), archive.files
    for name, dtype in DTYPES.items():
        array = archive[name]
        assert array.dtype == np.dtype(dtype), f"{name}: {array.dtype}"
        np.testing.assert_array_equal(array, expected(name, dtype), err_msg=name)

matrix = np.load(FOLDER / "matrix.npy", mmap_mode="r", allow_pickle=False)
assert matrix.shape == (ROWS, 3 + WIDTH) and matrix.dtype == "<f8" and matrix.flags.c_contiguous
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
