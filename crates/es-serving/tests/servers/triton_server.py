"""The model of the conformance suite in Triton, by its Python backend."""

import sys

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig


@batch
def score(rows):
    """0.5 + a + 2 b + 3 c, with zero for a missing number."""
    if np.isinf(rows).any():
        raise ValueError("Input X contains infinity")
    return {"score": (np.nan_to_num(rows) @ [1.0, 2.0, 3.0] + 0.5).reshape(-1, 1)}


if __name__ == "__main__":
    port = int(sys.argv[1])
    config = TritonConfig(http_port=port, grpc_port=port + 1, metrics_port=port + 2)
    with Triton(config=config) as triton:
        triton.bind(
            model_name="linear",
            infer_func=score,
            inputs=[Tensor(name="rows", dtype=np.float64, shape=(3,))],
            outputs=[Tensor(name="score", dtype=np.float64, shape=(1,))],
            config=ModelConfig(max_batch_size=4096),
        )
        triton.serve()
