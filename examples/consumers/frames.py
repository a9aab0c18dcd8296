"""The training set of an export in pandas, Polars, DuckDB and scikit-learn.

An export is a folder with one sub-folder a part and a manifest: see `_manifest.json`.
"""

import json
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
from sklearn.linear_model import LinearRegression


def load(folder, features, target):
    folder = Path(folder)
    manifest = json.loads((folder / "_manifest.json").read_text())
    rows = {part["name"]: part["rows"] for part in manifest["parts"]}

    train = pd.read_parquet(folder / "train")
    test = pl.read_parquet(folder / "test/*.parquet")
    query = f"select avg({target}) from read_parquet('{folder}/train/*.parquet')"
    mean = duckdb.connect().execute(query).fetchall()[0][0]
    assert (len(train), len(test)) == (rows["train"], rows["test"]) and mean is not None

    complete = train[[*features, target]].dropna()
    return LinearRegression().fit(complete[features], complete[target])
