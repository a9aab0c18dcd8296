"""scikit-learn's own encoders agree with those of an export, and learn from what it wrote."""

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

import frames
from expected import FOLDER, report

raw = pd.read_parquet(FOLDER / "raw.parquet")
encoded = pd.read_parquet(FOLDER / "encoded.parquet")
train = raw[:800]
encoders = {column["column"]: column for column in json.loads((FOLDER / "encoders.json").read_text())["columns"]}

numbers = ["delay", "distance"]
scaler = StandardScaler().fit(train[numbers])
for name, mean, scale in zip(numbers, scaler.mean_, scaler.scale_):
    np.testing.assert_allclose(encoders[name]["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(encoders[name]["std"], scale, rtol=1e-12)
np.testing.assert_allclose(encoded[numbers], scaler.transform(raw[numbers]), rtol=1e-9, atol=1e-12)

ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
codes = ordinal.fit(train[["carrier"]]).transform(raw[["carrier"]])
np.testing.assert_array_equal(encoded["carrier"], codes[:, 0])
assert encoded["carrier"].dtype == "int32"

one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(train[["origin"]])
names = [f"origin={value}" for value in one_hot.categories_[0]]
np.testing.assert_array_equal(encoded[names], one_hot.transform(raw[["origin"]]))

# The matrix is the same rows, and a model learns from it.
matrix = np.load(FOLDER / "encoded.npy")
np.testing.assert_array_equal(matrix, encoded.to_numpy(dtype="float64"))
delay = list(encoded.columns).index("delay")
rows = matrix[~np.isnan(matrix).any(axis=1)]
model = LinearRegression().fit(np.delete(rows, delay, axis=1), rows[:, delay])
assert np.isfinite(model.coef_).all()

# The example, on a folder that looks as an export does.
with tempfile.TemporaryDirectory() as folder:
    for part in ["train", "test"]:
        (Path(folder) / part).mkdir()
        shutil.copy(FOLDER / "encoded.parquet", Path(folder) / part / "part-00000.parquet")
    parts = [{"name": part, "rows": len(encoded)} for part in ["train", "test"]]
    (Path(folder) / "_manifest.json").write_text(json.dumps({"parts": parts}))
    model = frames.load(folder, ["carrier", "distance"], "delay")
    assert model.coef_.shape == (2,)
report("scikit-learn", sklearn.__version__, "encoders", "npy")
