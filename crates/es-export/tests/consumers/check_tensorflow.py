"""TensorFlow reads TFRecord files by their descriptions."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from tensorflow_records import dataset
from expected import FOLDER, ROWS, WIDTH, column, report, same

rows = list(dataset(FOLDER / "examples.tfrecord"))
assert len(rows) == ROWS
for name in ["flag", "i8", "i16", "i32", "i64", "when_ms", "when_ns"]:
    expected = [0 if value is None else int(value) for value in column(name)]
    assert rows[0][name].dtype == tf.int64
    same([int(row[name]) for row in rows], expected, f"tfrecord, {name}")
for name in ["f32", "f64", "geo.lat"]:
    expected = np.array([np.nan if value is None else value for value in column(name)], dtype="float32")
    np.testing.assert_array_equal(np.array([row[name].numpy() for row in rows]), expected, err_msg=name)
expected = [b"" if value is None else value.encode() for value in column("text")]
same([row["text"].numpy() for row in rows], expected, "tfrecord, text")
same([row["bytes"].numpy() for row in rows], [value or b"" for value in column("bytes")], "tfrecord, bytes")
for name, encode in [("tags", str.encode), ("numbers", int)]:
    expected = [[encode(value) for value in values or []] for values in column(name)]
    found = [tf.sparse.to_dense(row[name]).numpy().tolist() for row in rows]
    same(found, expected, f"tfrecord, {name}")
vector = np.array([[np.nan] * WIDTH if value is None else value for value in column("vector")], dtype="float32")
np.testing.assert_array_equal(np.array([row["vector"].numpy() for row in rows]), vector)

# A null is a feature that is missing, and not one that is empty.
examples = [tf.train.Example.FromString(record.numpy()) for record in tf.data.TFRecordDataset(str(FOLDER / "examples.tfrecord"))]
for i in (0, 9):
    assert ("tags" in examples[i].features.feature) == (i % 10 != 9)

batches = list(dataset(FOLDER / "encoded.tfrecord").batch(128))
assert sum(batch["carrier"].shape[0] for batch in batches) == ROWS
report("tensorflow", tf.__version__, "tfrecord")
