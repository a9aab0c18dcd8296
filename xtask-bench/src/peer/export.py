"""The peer's export: documents of an index into one Parquet file, with elasticsearch-py.

usage: export.py SOURCE INDEX DESTINATION DOCUMENTS

Reads the first DOCUMENTS that the server gives. SOURCE, the file that was loaded, has the types
of the columns.
"""

import itertools
import sys

import cluster
import polars as pl
from elasticsearch import helpers

# The client's default of 1,000 documents is slower, and the server gives no more.
DOCUMENTS_A_PAGE = 10_000
# Vectors as JSON take eight kilobytes a document, and a page of ten thousand is more than 70 MB.
DOCUMENTS_A_PAGE_OF_VECTORS = 1_000
# Rows wait as Python objects, which take many times their size, so they go into columns soon.
ROWS_A_FRAME = 50_000


def main():
    source, index, destination, documents = sys.argv[1:]
    wanted = pl.read_parquet_schema(source)
    times = [name for name, dtype in wanted.items() if dtype.is_temporal()]
    vectors = [name for name, dtype in wanted.items() if dtype.is_nested()]
    # Vectors come as they were loaded, which is as base64.
    received = {name: pl.String if name in times + vectors else dtype for name, dtype in wanted.items()}
    values = [
        pl.col(name).str.decode("base64").bin.reinterpret(dtype=wanted[name], endianness="big") for name in vectors
    ]
    client = cluster.connect()
    query = {"_source": {"exclude_vectors": False}} if vectors and cluster.leaves_vectors_out(client) else None
    size = DOCUMENTS_A_PAGE_OF_VECTORS if vectors else DOCUMENTS_A_PAGE
    rows_a_frame = size if vectors else ROWS_A_FRAME
    hits = helpers.scan(client, index=index, query=query, size=size)
    rest = (hit["_source"] for hit in itertools.islice(hits, int(documents)))
    frames = []
    while rows := list(itertools.islice(rest, rows_a_frame)):
        frame = pl.DataFrame(rows, schema=received)
        frames.append(frame.with_columns(pl.col(times).str.to_datetime(time_unit="ms", time_zone="UTC"), *values))
    pl.concat(frames).select(wanted.names()).write_parquet(destination)


main()
