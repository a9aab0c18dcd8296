"""The model of the conformance suite in KServe's own server: protocols v1 and v2."""

import sys

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer


class Linear(Model):
    """0.5 + a + 2 b + 3 c, with zero for a missing number."""

    def __init__(self):
        super().__init__("linear")
        self.load()

    def load(self):
        self.ready = True
        return self.ready

    def get_input_types(self):
        return [{"name": "rows", "datatype": "FP64", "shape": [-1, 3]}]

    def get_output_types(self):
        return [{"name": "score", "datatype": "FP64", "shape": [-1, 1]}]

    def predict(self, payload, headers=None, response_headers=None):
        if isinstance(payload, InferRequest):
            rows = payload.inputs[0].as_numpy()
        else:
            rows = np.array(payload["instances"], dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != 3:
            raise ValueError(f"X has {rows.shape[-1]} features, but Linear is expecting 3 features as input.")
        if np.isinf(rows).any():
            raise ValueError("Input X contains infinity")
        scores = np.nan_to_num(rows) @ [1.0, 2.0, 3.0] + 0.5
        if not isinstance(payload, InferRequest):
            return {"predictions": scores.tolist()}
        output = InferOutput(name="score", shape=[len(scores), 1], datatype="FP64")
        output.set_data_from_numpy(scores.reshape(-1, 1), binary_data=payload.use_binary_outputs)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=[output])


if __name__ == "__main__":
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False).start([Linear()])
