"""The peer's load: documents from Parquet into one index that is there, with elasticsearch-py.

usage: bulk.py parallel_bulk|streaming_bulk PARQUET INDEX DOCUMENTS ID_COLUMNS

Loads the first DOCUMENTS of the file, a slice of rows at a time, and prints how many seconds
passed from the first row to the last answer.
"""

import json
import sys
import time

import cluster
import polars as pl
import polars.selectors as cs
from elasticsearch import helpers

THREADS = 4
# The client's default of 500 documents is slower for small ones.
DOCUMENTS_A_REQUEST = 2_000
BYTES_A_REQUEST = 4 << 20
# Rows wait as columns, which is small, and not as Python objects.
ROWS_A_SLICE = 50_000


def actions(parquet, index, documents, id_columns):
    frame = pl.scan_parquet(parquet)
    for start in range(0, documents, ROWS_A_SLICE):
        rows = frame.slice(start, min(ROWS_A_SLICE, documents - start)).collect()
        # Formatting a column at once is much quicker than a datetime at a time.
        rows = rows.with_columns(cs.datetime().dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
        for row in rows.iter_rows(named=True):
            yield {"_index": index, "_id": "|".join(str(row[name]) for name in id_columns), "_source": row}


def main():
    helper, parquet, index, documents, id_columns = sys.argv[1:]
    options = {"chunk_size": DOCUMENTS_A_REQUEST, "max_chunk_bytes": BYTES_A_REQUEST}
    if helper == "parallel_bulk":
        options["thread_count"] = THREADS
    load = {"parallel_bulk": helpers.parallel_bulk, "streaming_bulk": helpers.streaming_bulk}[helper]
    client = cluster.connect()
    started = time.perf_counter()
    loaded = 0
    for _ in load(client, actions(parquet, index, int(documents), id_columns.split(",")), **options):
        loaded += 1
    print(json.dumps({"documents": loaded, "seconds": time.perf_counter() - started}))


main()
