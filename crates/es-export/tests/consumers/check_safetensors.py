"""The package safetensors reads safetensors."""

import json

import numpy as np
import safetensors
from safetensors import safe_open

from arrays import DTYPES, expected
from expected import FOLDER, WIDTH, report

with safe_open(FOLDER / "tensors.safetensors", framework="numpy") as file:
    features = {feature["name"]: feature for feature in json.loads(file.metadata()["features"])}
    assert sorted(file.keys()) == sorted(DTYPES)
    for name, dtype in DTYPES.items():
        dtype = "int64" if name == "when_ms" else dtype
        tensor = file.get_tensor(name)
        assert tensor.dtype == np.dtype(dtype) and features[name]["dtype"] == dtype, f"{name}: {tensor.dtype}"
        np.testing.assert_array_equal(tensor, expected(name, dtype), err_msg=name)
assert features["when_ms"]["unit"] == "ms" and features["f64"]["null_policy"] == "nan"
assert features["f64"]["nulls"] == 100 and features["vector"]["nulls"] == 100 * WIDTH, features
report("safetensors", safetensors.__version__, "safetensors")
