"""Makes the models of this folder, and the answers of the libraries that trained them.

Run by hand, with the versions of requirements.txt:

    python3 -m venv venv && venv/bin/pip install -r requirements.txt && venv/bin/python make.py

Rows have seven numbers (rows.f32, row by row) and a text (texts.txt). NaN is in one of ten numbers of
the columns 1 and 4, and the texts of the second half of the rows include some that training never saw.
The answers are the label (NAME.label.txt, one a line) and the probabilities or values (NAME.f32, row by row).
"""

import json

import numpy as np
import onnx
from lightgbm import LGBMClassifier, LGBMRegressor
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as OtherFloats
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from training import COLUMNS, HERE, NAMES, data, sklearn_models, trained
from xgboost import XGBClassifier, XGBRegressor

given_to = data()
rows, missing, binary, value, random = (
    given_to.rows,
    given_to.missing,
    given_to.binary,
    given_to.value,
    given_to.random,
)
rows.tofile(HERE / "rows.f32")
missing.tofile(HERE / "missing.f32")
(HERE / "texts.txt").write_text("\n".join(given_to.texts) + "\n")
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


# The converter of a perceptron keeps its classes in the weights, where nothing tells them from others.
classes_of = {"three": ["early", "late", "on time"], "binary": ["0", "1"], "value": None}
types = [(name, FloatTensorType([None, 1])) for name in NAMES] + [("origin", StringTensorType([None, 1]))]
for name, (model, of, target) in sklearn_models().items():
    given = getattr(given_to, of)
    trained(model, given, getattr(given_to, target))
    # Two keep the maps of probabilities that the converter writes by default.
    options = {id(model): plain} if target == "binary" and name != "forest" else None
    exported = convert_sklearn(model, initial_types=types if name == "mixed" else matrix, options=options)
    save(name, model, exported, given, [] if name == "perceptron" else classes_of[target])
index["mixed"].update(rows="missing", texts=True)

for name, model, target, classes in [
    ("xgboost", XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1), binary, ["0", "1"]),
    ("xgboost_value", XGBRegressor(n_estimators=20, max_depth=4, n_jobs=1), value, None),
]:
    trained(model, missing, target)
    save(name, model, convert_xgboost(model, initial_types=[("X", OtherFloats([None, COLUMNS]))]), missing, classes)

for name, model, target, classes, options in [
    ("lightgbm", LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1), binary, ["0", "1"], {"zipmap": False}),
    ("lightgbm_value", LGBMRegressor(n_estimators=20, n_jobs=1, verbose=-1), value, None, {}),
]:
    trained(model, missing, target)
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
