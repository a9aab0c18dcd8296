"""MLflow with the model of the conformance suite, as scikit-learn."""

import os
import pathlib
import shutil
import sys

import linear
import mlflow
import pandas as pd
from mlflow.models import infer_signature


def main():
    """Writes the model into a folder, and becomes the server."""
    port, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(folder, ignore_errors=True)
    frame = pd.DataFrame(linear.rows(), columns=["a", "b", "c"])
    model = linear.trained(frame)
    signature = infer_signature(frame, model.predict(frame))
    mlflow.sklearn.save_model(model, folder, signature=signature, serialization_format="cloudpickle")
    arguments = ["models", "serve", "--env-manager", "local", "--host", "127.0.0.1", "--port", port, "-m", str(folder)]
    os.execvp("mlflow", ["mlflow", *arguments])


if __name__ == "__main__":
    main()
