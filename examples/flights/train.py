"""Trains a classifier of late departures on the exported training set, and writes it in the format ONNX.

    pip install pyarrow scikit-learn skl2onnx
    python3 train.py out/training_set model.onnx

Prints the AUC on the parts that it was not trained on.
"""

import sys
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

# The order of `models.late.inputs` in pipeline.yaml.
INPUTS = [
    "distance",
    "temp",
    "wind_speed",
    "precip",
    "visib",
    "route_delays__delay_mean_7d",
    "route_delays__delay_mean_28d",
]


def part(folder, name):
    """Returns the inputs and the labels of a part. Flights that were cancelled have no label."""
    table = ds.dataset(folder / name).to_table(columns=[*INPUTS, "late"])
    table = table.filter(table["late"].is_valid())
    inputs = [table[column].to_numpy(zero_copy_only=False).astype(np.float32) for column in INPUTS]
    return np.column_stack(inputs), table["late"].to_numpy(zero_copy_only=False).astype(np.int64)


def main(folder, target):
    """Trains on `train`, reports on `validation` and `test`, and writes the model."""
    rows, labels = part(folder, "train")
    model = make_pipeline(
        SimpleImputer(strategy="median"),
        GradientBoostingClassifier(n_estimators=60, max_depth=4, subsample=0.3, random_state=7),
    )
    model.fit(rows, labels)
    print(f"{len(rows)} rows, {labels.mean():.1%} late")
    for name in ("validation", "test"):
        held_out, truth = part(folder, name)
        print(f"auc {name} {roc_auc_score(truth, model.predict_proba(held_out)[:, 1]):.4f}")
    types = [("rows", FloatTensorType([None, len(INPUTS)]))]
    onnx_model = convert_sklearn(model, "late", types, options={id(model): {"zipmap": False}})
    target.write_bytes(onnx_model.SerializeToString())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
