"""PyTorch reads Parquet and safetensors as datasets, and an Arrow stream from standard input."""

import subprocess
import sys

import torch
from torch.utils.data import DataLoader

from torch_dataset import ParquetRows, SafetensorsRows
from expected import FOLDER, ROWS, column, report

features = ["carrier", "origin=EWR", "origin=JFK", "origin=LGA", "distance"]
dataset = ParquetRows(FOLDER / "encoded.parquet", features, target="late")
safe = SafetensorsRows(FOLDER / "encoded.safetensors", features, target="late")
assert len(dataset) == len(safe) == ROWS
batches = 0
for (x, y), (a, b) in zip(DataLoader(dataset, batch_size=128), DataLoader(safe, batch_size=128)):
    assert x.dtype == torch.float32 and x.shape[1] == 5
    torch.testing.assert_close(x, a, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(y, b, rtol=0, atol=0, equal_nan=True)
    batches += 1
assert batches == 8

# In a process of its own, as it would stand behind `orchestrator export --to -`.
with open(FOLDER / "all.arrows", "rb") as stream:
    code = "from torch_stream import main; main(['i32', 'f64'])"
    output = subprocess.run([sys.executable, "-c", code], stdin=stream, capture_output=True, text=True, check=True)
rows, total = output.stdout.split()
assert int(rows) == ROWS
expected = sum(value for value in column("i32") if value is not None)
assert abs(float(total) - expected) < 1e-3 * abs(expected), (total, expected)
report("torch", torch.__version__, "parquet", "safetensors", "ipc-stream")
