"""TensorFlow reads the training set that was written as TFRecord files, in batches."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

from tensorflow_records import dataset, specification
from training_set import PARTS, RECORDS, agree, expected, manifest, report

FEATURE = {
    "large_string": tf.string, "int32": tf.int64, "int64": tf.int64, "timestamp[ms, tz=UTC]": tf.int64,
    "double": tf.float32,
}


def total(values):
    if values.dtype == tf.string:
        return tf.reduce_sum(tf.strings.length(values))
    if values.dtype.is_floating:
        present = tf.boolean_mask(values, ~tf.math.is_nan(values))
        return tf.reduce_sum(tf.cast(present, tf.float64))
    return tf.reduce_sum(values)


def read(part, files):
    rows, totals, present, dtypes = 0, {}, {}, {}
    for file in files:
        path = RECORDS / file["path"]
        for batch in dataset(path).batch(4096):
            rows += len(next(iter(batch.values())))
            for name, values in batch.items():
                dtypes[name] = values.dtype
                totals[name] = totals.get(name, 0) + total(values).numpy()
        # A null is a feature that is not there: the example makes it the default, this counts what is there.
        features = {name: tf.io.VarLenFeature(feature.dtype) for name, feature in specification(path).items()}
        for records in tf.data.TFRecordDataset(str(path)).batch(4096):
            for name, values in tf.io.parse_example(records, features).items():
                present[name] = present.get(name, 0) + len(values.values)
    # In the order of the columns: a batch is in that of the names.
    found = {name: (dtypes[name], rows - present[name], totals[name].item()) for name in expected()[part]["columns"]}
    # TFRecord has 32-bit floats alone.
    return agree(part, rows, found, lambda column: str(FEATURE[column["type"]]), rounding=1e-7)


parts = {part["name"]: part["files"] for part in manifest(RECORDS)["parts"]}
assert list(parts) == PARTS
report("tensorflow", tf.__version__, [read(part, files) for part, files in parts.items()], "tfrecord")
