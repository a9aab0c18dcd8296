"""Triton with the model of the conformance suite, and the ONNX models by its Python backend."""

import sys

import numpy as np
import onnx_models
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def score(rows):
    """0.5 + a + 2 b + 3 c, with zero for a missing number."""
    if np.isinf(rows).any():
        raise ValueError("Input X contains infinity")
    return {"score": (np.nan_to_num(rows) @ [1.0, 2.0, 3.0] + 0.5).reshape(-1, 1)}


NUMPY = {"FP32": np.float32, "INT64": np.int64, "BYTES": np.bytes_}


def tensors(given):
    """Returns tensors as Triton is told of them, without the dimension of the rows."""
    return [Tensor(name=name, dtype=NUMPY[kind], shape=tuple(shape[1:] or [1])) for name, kind, shape in given]


def runner(model):
    """Returns the function that runs a model."""
    texts = {name for name, kind, _ in model.inputs if kind == "BYTES"}

    @batch
    def run(**given):
        given = {name: onnx_models.texts(values) if name in texts else values for name, values in given.items()}
        answers = model.predict(given)
        for name, kind, shape in model.outputs:
            if kind == "BYTES":
                answers[name] = np.char.encode(answers[name].astype(str))
            answers[name] = answers[name].reshape(len(answers[name]), -1)
        return answers

    return run


if __name__ == "__main__":
    port = int(sys.argv[1])
    config = TritonConfig(http_port=port, grpc_port=int(sys.argv[3]), metrics_port=int(sys.argv[4]))
    with Triton(config=config) as triton:
        triton.bind(
            model_name="linear",
            infer_func=score,
            inputs=[Tensor(name="rows", dtype=np.float64, shape=(3,))],
            outputs=[Tensor(name="score", dtype=np.float64, shape=(1,))],
            config=ModelConfig(max_batch_size=4096),
        )
        for model in onnx_models.all_models():
            triton.bind(
                model_name=model.name,
                infer_func=runner(model),
                inputs=tensors(model.inputs),
                outputs=tensors(model.outputs),
                config=ModelConfig(max_batch_size=4096),
            )
        triton.serve()
