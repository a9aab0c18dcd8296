"""A `tf.data` dataset over a TFRecord file of an export, parsed by its description."""

import json
from pathlib import Path

import tensorflow as tf

DEFAULTS = {"int64": 0, "float32": float("nan"), "bytes": b""}
DTYPES = {"int64": tf.int64, "float32": tf.float32, "bytes": tf.string}


def specification(path):
    """How each feature is parsed: nulls are left out of the file, and get a default here."""
    description = json.loads(Path(f"{path}.features.json").read_text())
    specification = {}
    for feature in description["features"]:
        name, dtype, shape = feature["name"], feature["dtype"], feature["shape"]
        if shape is None:
            specification[name] = tf.io.VarLenFeature(DTYPES[dtype])
        else:
            default = tf.fill(shape, DEFAULTS[dtype]).numpy().tolist() if shape else DEFAULTS[dtype]
            specification[name] = tf.io.FixedLenFeature(shape, DTYPES[dtype], default)
    return specification


def dataset(path):
    features = specification(path)
    records = tf.data.TFRecordDataset(str(path))
    return records.map(lambda record: tf.io.parse_single_example(record, features))
