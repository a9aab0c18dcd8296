"""The peer's load: flights from Parquet into one index a month, with elasticsearch-py.

usage: load.py FLIGHTS INDEX_PREFIX INDEX_BODY

INDEX_BODY is a JSON file with the mapping and the settings that each index gets.
"""

import json
import sys

import cluster
import polars as pl
from elasticsearch import helpers

THREADS = 4
# The client's default of 500 is a seventh slower here, though it needs 35 MB less.
DOCUMENTS_A_REQUEST = 2_000


def actions(frame):
    for row in frame.iter_rows(named=True):
        yield {
            "_index": row.pop("month_index"),
            "_id": f"{row['carrier']}|{row['flight']}|{row['time_hour']}",
            "_source": row,
        }


def main():
    flights, prefix, index_body = sys.argv[1:]
    with open(index_body) as file:
        index = json.load(file)
    local_month = pl.col("time_hour").dt.convert_time_zone("America/New_York").dt.strftime("%Y-%m")
    frame = pl.read_parquet(flights).with_columns(
        (pl.lit(prefix) + local_month).alias("month_index"),
        # Formatting the column at once is much quicker than a datetime at a time.
        pl.col("time_hour").dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    )
    client = cluster.connect()
    names = frame["month_index"].unique().sort().to_list()
    # As orchestrator does: nothing is refreshed while nobody searches.
    settings = index["settings"] | {"refresh_interval": "-1"}
    for name in names:
        client.indices.create(index=name, mappings=index["mappings"], settings=settings)
    results = helpers.parallel_bulk(
        client, actions(frame), thread_count=THREADS, chunk_size=DOCUMENTS_A_REQUEST
    )
    for _ in results:
        pass
    for name in names:
        client.indices.put_settings(index=name, settings={"refresh_interval": None})
    client.indices.refresh(index=names)


main()
