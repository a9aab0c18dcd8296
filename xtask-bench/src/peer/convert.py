"""Writes the documents of an NDJSON file as Parquet.

usage: convert.py NDJSON PARQUET
"""

import sys

import polars as pl

source, target = sys.argv[1:]
pl.read_ndjson(source).write_parquet(target, row_group_size=10_000)
