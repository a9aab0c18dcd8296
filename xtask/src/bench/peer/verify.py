"""Checks that a contestant did the work: everything of the flights is there, once.

usage: verify.py index FLIGHTS INDEX    an index, alias or pattern
       verify.py file FLIGHTS FOLDER    a folder of Parquet files

Prints how many documents or rows there are.
"""

import sys
from pathlib import Path

import cluster
import polars as pl
import polars.selectors as cs

ID = ["carrier", "flight", "time_hour"]


def verify_index(source, index):
    """Counts, sums and missing values, as the server counts them."""
    client = cluster.connect()
    months = len(client.indices.get(index=index))
    if months != 12:
        sys.exit(f"{index} is {months} indices, and the year has 12 months")
    numbers = source.select(cs.numeric()).columns
    aggregations = {f"sum_{name}": {"sum": {"field": name}} for name in numbers}
    aggregations |= {f"missing_{name}": {"missing": {"field": name}} for name in source.columns}
    answer = client.search(index=index, size=0, track_total_hits=True, aggs=aggregations)
    found = answer["aggregations"]
    expect(index, "documents", answer["hits"]["total"]["value"], source.height)
    for name in numbers:
        expect(index, f"the sum of {name}", found[f"sum_{name}"]["value"], source[name].sum())
    for name in source.columns:
        expect(index, f"documents without {name}", found[f"missing_{name}"]["doc_count"], source[name].null_count())
    return source.height


def verify_file(source, folder):
    """All rows, column by column, in the order of their ids."""
    frame = pl.read_parquet(sorted(Path(folder).rglob("*.parquet")))
    expect(folder, "rows", frame.height, source.height)
    expect(folder, "columns", sorted(frame.columns), sorted(source.columns))
    frame = frame.select(source.columns).cast(dict(source.schema)).sort(ID)
    source = source.sort(ID)
    for name in source.columns:
        if not frame[name].equals(source[name], check_names=True):
            sys.exit(f"{folder}: column {name} is not what was loaded")
    return frame.height


def expect(where, what, found, wanted):
    if found != wanted:
        sys.exit(f"{where}: {what}: {found}, and not {wanted}")


def main():
    kind, flights, target = sys.argv[1:]
    source = pl.read_parquet(flights)
    print({"index": verify_index, "file": verify_file}[kind](source, target))


main()
