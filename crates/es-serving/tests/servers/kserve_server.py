"""KServe's own server with the model of the conformance suite, and the ONNX models: protocols v1 and v2."""

import sys

import numpy as np
import onnx_models
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


class Onnx(Model):
    """A model of tests/models."""

    def __init__(self, model):
        super().__init__(model.name)
        self.model = model
        self.ready = True

    def get_input_types(self):
        return [{"name": name, "datatype": kind, "shape": shape} for name, kind, shape in self.model.inputs]

    def get_output_types(self):
        return [{"name": name, "datatype": kind, "shape": shape} for name, kind, shape in self.model.outputs]

    def predict(self, payload, headers=None, response_headers=None):
        texts = {name for name, kind, _ in self.model.inputs if kind == "BYTES"}
        given = {one.name: one.as_numpy() for one in payload.inputs}
        given = {name: onnx_models.texts(values) if name in texts else values for name, values in given.items()}
        answers = self.model.predict(given)
        outputs = []
        for name, kind, _ in self.model.outputs:
            output = InferOutput(name=name, shape=list(answers[name].shape), datatype=kind)
            output.set_data_from_numpy(answers[name], binary_data=payload.use_binary_outputs)
            outputs.append(output)
        return InferResponse(response_id=payload.id, model_name=self.name, infer_outputs=outputs)


if __name__ == "__main__":
    models = [Linear(), *(Onnx(model) for model in onnx_models.all_models())]
    ModelServer(http_port=int(sys.argv[1]), enable_grpc=False).start(models)
