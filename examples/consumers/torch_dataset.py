"""PyTorch datasets over the files of an export: Parquet and safetensors."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import torch
from safetensors import safe_open
from torch.utils.data import Dataset


class ParquetRows(Dataset):
    """The numeric columns of a Parquet file (or a folder of them) as (features, target)."""

    def __init__(self, path, features, target):
        table = pq.read_table(path, columns=[*features, target])
        # A null becomes NaN.
        columns = [torch.from_numpy(table.column(name).to_numpy().astype("float32")) for name in features]
        self.features = torch.stack(columns, dim=1)
        self.target = torch.from_numpy(table.column(target).to_numpy().astype("float32"))

    def __len__(self):
        return len(self.target)

    def __getitem__(self, row):
        return self.features[row], self.target[row]


class SafetensorsRows(Dataset):
    """The tensors of a safetensors file as (features, target). The file is mapped into memory."""

    def __init__(self, path, features, target):
        with safe_open(path, framework="pt") as file:
            columns = [file.get_tensor(name).float() for name in features]
            self.target = file.get_tensor(target).float()
        self.features = torch.cat([column.reshape(len(column), -1) for column in columns], dim=1)
        # What each tensor is: its null policy, its vocabulary, its mean and standard deviation.
        self.description = json.loads(Path(f"{path}.features.json").read_text())

    def __len__(self):
        return len(self.target)

    def __getitem__(self, row):
        return self.features[row], self.target[row]
