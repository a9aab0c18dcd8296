"""The peer's reading: all fields of an index into one Parquet file, with elasticsearch-py.

usage: read.py FLIGHTS INDEX DESTINATION

FLIGHTS, the file that was loaded, has the types of the columns.
"""

import itertools
import sys

import cluster
import polars as pl
from elasticsearch import helpers

# The client's default of 1,000 documents is slower, and the server gives no more.
DOCUMENTS_A_PAGE = 10_000
# Rows wait as Python objects, which take many times their size, so they go into columns soon.
ROWS_A_FRAME = 50_000


def main():
    flights, index, destination = sys.argv[1:]
    wanted = pl.read_parquet_schema(flights)
    received = {name: pl.String if dtype.is_temporal() else dtype for name, dtype in wanted.items()}
    hits = helpers.scan(cluster.connect(), index=index, size=DOCUMENTS_A_PAGE)
    documents = (hit["_source"] for hit in hits)
    frames = []
    while rows := list(itertools.islice(documents, ROWS_A_FRAME)):
        frame = pl.DataFrame(rows, schema=received)
        frames.append(frame.with_columns(pl.col("time_hour").str.to_datetime(time_zone="UTC")))
    pl.concat(frames).select(wanted.names()).write_parquet(destination)


main()
