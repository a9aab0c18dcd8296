"""The ONNX models of tests/models, run by ONNX Runtime for the servers that have no runtime of their own for them."""

import pathlib

import numpy as np
import onnxruntime

FOLDER = pathlib.Path(__file__).parent.parent / "models"
DATATYPES = {"tensor(float)": "FP32", "tensor(int64)": "INT64", "tensor(string)": "BYTES"}
NUMPY = {"FP32": np.float32, "INT64": np.int64, "BYTES": np.object_}


class OnnxModel:
    """A model, with its inputs and outputs as (name, datatype, shape); -1 is any length."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.name = path.stem
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [tensor(given) for given in self.session.get_inputs()]
        self.outputs = [tensor(given) for given in self.session.get_outputs()]

    def predict(self, inputs):
        """Returns the outputs by their names."""
        answers = self.session.run(None, inputs)
        return {name: array(answer, datatype) for (name, datatype, _), answer in zip(self.outputs, answers)}


def tensor(given):
    """Returns name, datatype and shape. A list of maps, as classifiers give it, is one tensor with a column a class."""
    if given.type.startswith("seq(map("):
        return given.name, "FP32", [-1, -1]
    shape = [length if isinstance(length, int) else -1 for length in given.shape]
    return given.name, DATATYPES[given.type], shape


def array(answer, datatype):
    """Returns an output as an array of its type."""
    if isinstance(answer, list) and answer and isinstance(answer[0], dict):
        answer = [[row[label] for label in answer[0]] for row in answer]
    return np.asarray(answer, NUMPY[datatype])


def texts(values):
    """Returns an array of bytes or texts as one of texts."""
    decoded = [value.decode() if isinstance(value, bytes) else str(value) for value in np.ravel(values)]
    return np.array(decoded, np.object_).reshape(np.shape(values))


def all_models():
    """Returns every model."""
    return [OnnxModel(path) for path in sorted(FOLDER.glob("*.onnx"))]
