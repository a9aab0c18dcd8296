"""A PyTorch dataset over an Arrow stream on standard input, of any length:

orchestrator export flights --to - --format ipc-stream | python torch_stream.py dep_delay distance
"""

import sys

import pyarrow as pa
import torch
from torch.utils.data import DataLoader, IterableDataset


class ArrowStream(IterableDataset):
    """The rows of an Arrow stream as tensors; memory holds one batch. A null becomes NaN."""

    def __init__(self, stream, columns):
        self.reader = pa.ipc.open_stream(stream)
        self.columns = columns

    def __iter__(self):
        for batch in self.reader:
            arrays = [batch.column(name).to_numpy(zero_copy_only=False).astype("float32") for name in self.columns]
            yield from torch.stack([torch.from_numpy(array) for array in arrays], dim=1)


def main(columns):
    rows, total = 0, 0.0
    for batch in DataLoader(ArrowStream(sys.stdin.buffer, columns), batch_size=256):
        rows += len(batch)
        total += batch[:, 0].double().nansum().item()
    print(rows, total)


if __name__ == "__main__":
    main(sys.argv[1:])
