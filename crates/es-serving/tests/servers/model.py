"""The model of the conformance suite, as scikit-learn: 0.5 + a + 2 b + 3 c, with zero for a missing number."""

import json
import pathlib
import sys

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline


def trained(rows):
    """Returns the model, trained on rows that determine it."""
    values = np.nan_to_num(np.asarray(rows)) @ [1.0, 2.0, 3.0] + 0.5
    model = make_pipeline(SimpleImputer(strategy="constant", fill_value=0.0), LinearRegression())
    model.fit(rows, values)
    model[-1].coef_ = np.array([1.0, 2.0, 3.0])
    model[-1].intercept_ = 0.5
    return model


def main():
    """Writes the model for a server into a folder."""
    server, folder, port = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3])
    rows = np.random.default_rng(7).normal(size=(100, 3))
    if server == "mlserver":
        import joblib

        folder.mkdir(parents=True, exist_ok=True)
        joblib.dump(trained(rows), folder / "model.joblib")
        settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        settings |= {"parallel_workers": 0, "metrics_endpoint": None}
        (folder / "settings.json").write_text(json.dumps(settings))
        model = {"name": "linear", "implementation": "mlserver_sklearn.SKLearnModel"}
        model["parameters"] = {"uri": "./model.joblib", "version": "3"}
        (folder / "model-settings.json").write_text(json.dumps(model))
    else:
        import mlflow
        import pandas as pd
        from mlflow.models import infer_signature

        frame = pd.DataFrame(rows, columns=["a", "b", "c"])
        model = trained(frame)
        signature = infer_signature(frame, model.predict(frame))
        mlflow.sklearn.save_model(model, folder, signature=signature, serialization_format="cloudpickle")


if __name__ == "__main__":
    main()
