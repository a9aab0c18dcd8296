"""MLServer with the models of scikit-learn: that of the conformance suite, and those of tests/models trained anew."""

import json
import os
import pathlib
import sys

import joblib
import linear

sys.path.append(str(pathlib.Path(__file__).parent.parent / "models"))
import training


def write(folder, name, model, **settings):
    """Writes a model for MLServer."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, place / "model.joblib")
    settings |= {"name": name, "implementation": "mlserver_sklearn.SKLearnModel"}
    settings["parameters"] = {"uri": "./model.joblib", **settings.get("parameters", {})}
    (place / "model-settings.json").write_text(json.dumps(settings))


def main():
    """Writes the models into a folder, and becomes the server."""
    port, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    settings = {"host": "127.0.0.1", "http_port": port, "grpc_port": int(sys.argv[3]), "metrics_endpoint": None}
    settings["parallel_workers"] = 0
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    write(folder, "linear", linear.trained(linear.rows()), parameters={"version": "3"})
    data = training.data()
    for name, (model, given, target) in training.sklearn_models().items():
        model = training.trained(model, getattr(data, given), getattr(data, target))
        # One model takes a data frame of a column each, which MLServer makes of tensors where it is told.
        more = {"parameters": {"content_type": "pd"}} if given == "frame" else {}
        write(folder, name, model, **more)
    os.execvp("mlserver", ["mlserver", "start", str(folder)])


if __name__ == "__main__":
    main()
