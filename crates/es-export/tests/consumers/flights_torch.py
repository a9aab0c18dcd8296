"""PyTorch reads the training set as a dataset, and the same rows out of the program by a pipe."""

import json
import subprocess
import sys

import torch
from torch.utils.data import DataLoader

import torch_stream
from torch_dataset import ParquetRows
from training_set import FOLDER, PARTS, PROJECT, TARGET, agree, expected, manifest, report

PROGRAM = sys.argv[2]


def dtype_of(column):
    return "torch.float32" if column["type"] in ("int32", "int64", "double") else None


def read(part):
    names = [name for name, column in expected()[part]["columns"].items() if dtype_of(column)]
    features = [name for name in names if name != TARGET]
    dataset = ParquetRows(FOLDER / part, features, target=TARGET)
    nulls, totals = 0, 0
    for x, y in DataLoader(dataset, batch_size=4096):
        batch = torch.cat([x, y.unsqueeze(1)], dim=1)
        assert x.dtype == y.dtype == batch.dtype
        nulls, totals = nulls + batch.isnan().sum(dim=0), totals + batch.double().nansum(dim=0)
    places = {name: place for place, name in enumerate([*features, TARGET])}
    found = {name: (batch.dtype, nulls[places[name]].item(), totals[places[name]].item()) for name in names}
    # What the example does to a 64-bit float.
    return agree(part, len(dataset), found, dtype_of, rounding=1e-7)


def stream():
    """What the example counts behind `orchestrator export --to -`."""
    source, columns = manifest()["source"], [TARGET, "distance", "air_time"]
    export = [PROGRAM, "-q", "-C", PROJECT, "export", source["index"], "--query", json.dumps(source["query"])]
    export += ["--columns", ",".join(columns), "--to", "-", "--format", "ipc-stream"]
    with subprocess.Popen(export, stdout=subprocess.PIPE) as exporter:
        reader = [sys.executable, torch_stream.__file__, *columns]
        output = subprocess.run(reader, stdin=exporter.stdout, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert exporter.returncode == 0, exporter.returncode
    rows, total = output.split()
    return int(rows), float(total)


parts = [read(part) for part in PARTS]
streamed = stream()
whole = tuple(sum(column) for column in zip(*parts))
assert streamed == whole, f"the stream has {streamed}, and the files {whole}"
report("torch", torch.__version__, parts, "parquet", "ipc-stream")
