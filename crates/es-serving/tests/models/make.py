"""Makes the models of this folder, and the answers of the libraries that trained them.

Run by hand, with the versions of requirements.txt:

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

Rows have seven numbers (rows.f32, row by row) and a text (texts.txt). NaN is in one of ten numbers of
the columns 1 and 4, and the texts of the second half of the rows include some that training never saw.
The answers are the label (NAME.label.txt, one a line) and the probabilities or values (NAME.f32, row by row).
"""

import json
import pathlib

import numpy as np
import onnx
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as OtherFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier, XGBRegressor

HERE = pathlib.Path(__file__).parent
ROWS, COLUMNS = 5000, 7
random = np.random.default_rng(20130101)

rows = random.normal(size=(ROWS, COLUMNS)).astype(np.float32)
rows[:, 2] = np.exp(rows[:, 2])
texts = random.choice(["EWR", "JFK", "LGA"], ROWS)
late = random.random(ROWS // 2) < 0.1
texts[ROWS // 2 :][late] = "SWF"
signal = rows[:, 0] + 0.5 * rows[:, 1] * rows[:, 3] - 0.3 * rows[:, 2] + (texts == "JFK")
binary = (signal + random.normal(size=ROWS) > 0.5).astype(np.int64)
three = np.array(["early", "late", "on time"])[np.digitize(signal, [-0.5, 0.8])]
value = (signal * 10).astype(np.float32)

missing = rows.copy()
for column in (1, 4):
    missing[random.random(ROWS) < 0.1, column] = np.nan
train = slice(0, ROWS // 2)

rows.tofile(HERE / "rows.f32")
missing.tofile(HERE / "missing.f32")
(HERE / "texts.txt").write_text("\n".join(texts) + "\n")
index = {}


def save(name, model, onnx_model, given, classes, **more):
    """Writes a model with what its library says of all rows."""
    onnx.save(onnx_model, HERE / f"{name}.onnx")
    about = {"rows": "missing" if given is missing else "rows", "classes": classes, **more}
    if classes is None:
        np.asarray(model.predict(given), np.float32).tofile(HERE / f"{name}.f32")
    else:
        np.asarray(model.predict_proba(given), np.float32).tofile(HERE / f"{name}.f32")
        labels = [str(label) for label in model.predict(given)]
        (HERE / f"{name}.label.txt").write_text("\n".join(labels) + "\n")
    index[name] = about


matrix = [("X", FloatTensorType([None, COLUMNS]))]
plain = {"zipmap": False}


def sklearn_model(name, model, given, target, options=None, classes=None):
    model.fit(given[train], target[train])
    options = {id(model): options} if options else None
    save(name, model, convert_sklearn(model, initial_types=matrix, options=options), given, classes)


sklearn_model("logistic", LogisticRegression(), rows, binary, plain, ["0", "1"])
sklearn_model("logistic_three", LogisticRegression(), rows, three, None, ["early", "late", "on time"])
sklearn_model("forest", RandomForestClassifier(20, max_depth=6, random_state=0), rows, binary, None, ["0", "1"])
sklearn_model("boosting", GradientBoostingClassifier(n_estimators=20, random_state=0), rows, binary, plain, ["0", "1"])
sklearn_model("scaled", make_pipeline(StandardScaler(), LogisticRegression()), rows, binary, plain, ["0", "1"])
imputed = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
sklearn_model("imputed", imputed, missing, binary, plain, ["0", "1"])
perceptron = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=300, random_state=0))
# The converter keeps the classes of a perceptron in the weights, where nothing tells them from others.
sklearn_model("perceptron", perceptron, rows, binary, plain, [])
sklearn_model("forest_value", RandomForestRegressor(20, max_depth=6, random_state=0), rows, value)
sklearn_model("linear_value", LinearRegression(), rows, value)
sklearn_model("boosting_value", GradientBoostingRegressor(n_estimators=20, random_state=0), rows, value)

names = [f"c{number}" for number in range(COLUMNS)]
frame = pd.DataFrame(missing, columns=names).assign(origin=texts)
mixed = make_pipeline(
    ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), names),
            ("texts", OneHotEncoder(handle_unknown="ignore"), ["origin"]),
        ]
    ),
    LogisticRegression(),
)
mixed.fit(frame[train], binary[train])
types = [(name, FloatTensorType([None, 1])) for name in names] + [("origin", StringTensorType([None, 1]))]
exported = convert_sklearn(mixed, initial_types=types, options={id(mixed): plain})
save("mixed", mixed, exported, frame, ["0", "1"])
index["mixed"].update(rows="missing", texts=True)

for name, model, target, classes in [
    ("xgboost", XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1), binary, ["0", "1"]),
    ("xgboost_value", XGBRegressor(n_estimators=20, max_depth=4, n_jobs=1), value, None),
]:
    model.fit(missing[train], target[train])
    save(name, model, convert_xgboost(model, initial_types=[("X", OtherFloats([None, COLUMNS]))]), missing, classes)

for name, model, target, classes, options in [
    ("lightgbm", LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1), binary, ["0", "1"], {"zipmap": False}),
    ("lightgbm_value", LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1), value, None, {}),
]:
    model.fit(missing[train], target[train])
    exported = convert_lightgbm(model, initial_types=[("X", OtherFloats([None, COLUMNS]))], **options)
    save(name, model, exported, missing, classes)


class Net:
    """A net of two layers with the graph that PyTorch's exporter writes: Gemm, Relu, Gemm, Softmax."""

    first = random.normal(size=(8, COLUMNS)).astype(np.float32)
    first_bias = random.normal(size=8).astype(np.float32)
    second = random.normal(size=(2, 8)).astype(np.float32)
    second_bias = random.normal(size=2).astype(np.float32)

    def predict_proba(self, given):
        hidden = np.maximum(given @ self.first.T + self.first_bias, 0)
        scores = hidden @ self.second.T + self.second_bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, given):
        return self.predict_proba(given).argmax(axis=1)


net = Net()
weights = {"fc1.weight": net.first, "fc1.bias": net.first_bias, "fc2.weight": net.second, "fc2.bias": net.second_bias}
graph = helper.make_graph(
    [
        helper.make_node("Gemm", ["input", "fc1.weight", "fc1.bias"], ["hidden"], transB=1),
        helper.make_node("Relu", ["hidden"], ["relu"]),
        helper.make_node("Gemm", ["relu", "fc2.weight", "fc2.bias"], ["scores"], transB=1),
        helper.make_node("Softmax", ["scores"], ["output"], axis=1),
    ],
    "net",
    [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", COLUMNS])],
    [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 2])],
    [numpy_helper.from_array(array, name) for name, array in weights.items()],
)
opset = [helper.make_opsetid("", 17)]
save("net", net, helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="pytorch"), rows, [])
(HERE / "models.json").write_text(json.dumps(index, indent=1) + "\n")
