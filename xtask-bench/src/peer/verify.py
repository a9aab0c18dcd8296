"""Checks that a candidate did the work: everything of the source is there, once.

usage: verify.py months PARQUET INDEX               an alias or pattern of an index a month
       verify.py documents PARQUET INDEX DOCUMENTS  an index with the first DOCUMENTS of the file
       verify.py file PARQUET FOLDER                a folder of Parquet files
       verify.py rows PARQUET FOLDER ID DOCUMENTS   as many rows in a folder of files: Parquet files of
                                                    the same columns, other Parquet or CSV files, or
                                                    NDJSON of hits

Prints how many documents or rows there are.
"""

import array
import base64
import json
import math
import sys
from functools import partial
from pathlib import Path

import cluster
import polars as pl
import polars.selectors as cs

ID = ["carrier", "flight", "time_hour"]
TEXT_KEYS = ["carrier"]
# Vectors cannot be added up by the server, so a sample is compared.
VECTORS_SEEN = 200


def verify_months(parquet, index):
    client = cluster.connect()
    months = len(client.indices.get(index=index))
    if months != 12:
        sys.exit(f"{index} is {months} indices, and the year has 12 months")
    return verify_index(client, pl.scan_parquet(parquet), index)


def verify_documents(parquet, index, documents):
    client = cluster.connect()
    client.indices.refresh(index=index)
    source = pl.scan_parquet(parquet).head(int(documents))
    found = verify_index(client, source, index)
    vectors = [name for name, dtype in source.collect_schema().items() if isinstance(dtype, pl.Array)]
    for name in vectors:
        verify_vectors(client, source, index, name)
    return found


def verify_index(client, source, index):
    """Counts, sums and missing values, as the server counts them."""
    schema = source.collect_schema()
    numbers = cs.expand_selector(schema, cs.numeric())
    simple = [name for name, dtype in schema.items() if not dtype.is_nested()]
    wanted = source.select(
        pl.len().alias("documents"),
        *(pl.col(name).sum().alias(f"sum_{name}") for name in numbers),
        *(pl.col(name).null_count().alias(f"missing_{name}") for name in simple),
    )
    wanted = wanted.collect(engine="streaming").row(0, named=True)
    aggregations = {f"sum_{name}": {"sum": {"field": name}} for name in numbers}
    aggregations |= {f"missing_{name}": {"missing": {"field": name}} for name in simple}
    answer = client.search(index=index, size=0, track_total_hits=True, aggs=aggregations)
    found = answer["aggregations"]
    expect(index, "documents", answer["hits"]["total"]["value"], wanted["documents"])
    for name in numbers:
        expect(index, f"the sum of {name}", found[f"sum_{name}"]["value"], wanted[f"sum_{name}"])
    for name in simple:
        expect(index, f"documents without {name}", found[f"missing_{name}"]["doc_count"], wanted[f"missing_{name}"])
    return wanted["documents"]


def verify_vectors(client, source, index, name):
    documents = source.select(pl.len()).collect().item()
    with_one = client.count(index=index, query={"exists": {"field": name}})["count"]
    expect(index, f"documents with {name}", with_one, documents)
    step = max(documents // VECTORS_SEEN, 1)
    some = source.select("id", name).gather_every(step).collect()
    options = {"source": {"exclude_vectors": False}} if cluster.leaves_vectors_out(client) else {}
    query = {"terms": {"id": some["id"].to_list()}}
    hits = client.search(index=index, size=some.height, query=query, **options)["hits"]["hits"]
    found = {hit["_source"]["id"]: hit["_source"][name] for hit in hits}
    expect(index, "documents of a sample", len(found), some.height)
    for number, vector in some.iter_rows():
        # The server keeps vectors of the `cosine` similarity as their direction and length, so that
        # the last digits of what it gives back may differ.
        if not all(map(partial(math.isclose, rel_tol=1e-6), numbers(found[number]), vector)):
            sys.exit(f"{index}: {name} of document {number} is not what was loaded")


def numbers(vector):
    """The numbers of a vector, which `_source` has as it was loaded: as a list, or as base64."""
    if isinstance(vector, str):
        decoded = array.array("f", base64.b64decode(vector))
        if sys.byteorder == "little":
            decoded.byteswap()
        vector = decoded.tolist()
    return pl.Series(vector, dtype=pl.Float32)


def verify_file(parquet, folder):
    """All rows, column by column, in the order of their ids."""
    source = pl.read_parquet(parquet)
    frame = pl.read_parquet(sorted(Path(folder).rglob("*.parquet")))
    expect(folder, "rows", frame.height, source.height)
    expect(folder, "columns", sorted(frame.columns), sorted(source.columns))
    frame = frame.select(source.columns).cast(dict(source.schema)).sort(ID)
    source = source.sort(ID)
    for name in source.columns:
        if not frame[name].equals(source[name], check_names=True):
            sys.exit(f"{folder}: column {name} is not what was loaded")
    return frame.height


def verify_rows(parquet, folder, id_columns, documents):
    """The rows that a candidate wrote, which may be a part of all.

    Where the columns are those of the source, all of their values are compared. Where types were
    lost on the way, it is the sums of the numbers and how many values are missing.
    """
    source, ids = pl.read_parquet(parquet), id_columns.split(",")
    files = sorted(path for path in Path(folder).rglob("*.*") if path.suffix in (".parquet", ".csv", ".ndjson"))
    if not files:
        sys.exit(f"{folder}: no files")
    frame = {".parquet": pl.read_parquet, ".csv": read_csv, ".ndjson": read_hits}[files[0].suffix](files)
    expect(folder, "rows", frame.height, int(documents))
    expect(folder, "columns", sorted(set(source.columns) - set(frame.columns)), [])
    frame = frame.select(source.columns)
    if frame.height < source.height:
        keys = simple_keys(source, ids)
        # Texts of CSV, and whole numbers that pandas holds as floats.
        whole = [pl.col(name).cast(pl.Float64).cast(source.schema[name]) for name in keys if name not in TEXT_KEYS]
        source = source.join(frame.with_columns(whole).select(keys), on=keys, how="semi")
        expect(folder, "different rows", source.height, frame.height)
    if all(frame[name].dtype.base_type() == source[name].dtype.base_type() for name in source.columns):
        frame, source = frame.cast(dict(source.schema)).sort(ids), source.sort(ids)
        for name in source.columns:
            if not frame[name].equals(source[name]):
                sys.exit(f"{folder}: column {name} is not what was loaded")
        return frame.height
    for name, dtype in source.schema.items():
        expect(folder, f"rows without {name}", frame[name].null_count(), source[name].null_count())
        if dtype.is_numeric():
            found, wanted = frame[name].cast(pl.Float64).sum(), source[name].cast(pl.Float64).sum()
            expect(folder, f"the sum of {name}", found, wanted)
    return frame.height


def simple_keys(source, ids):
    """Columns that identify rows and have the same form everywhere, as times are not."""
    parts = ["year", "month", "day", "hour"]
    return [key for name in ids for key in (parts if source.schema[name].is_temporal() else [name])]


def read_csv(files):
    return pl.read_csv(files, infer_schema=False, null_values=["", "NaN"])


def read_hits(files):
    rows = [json.loads(line)["_source"] for path in files for line in path.open()]
    return pl.DataFrame(rows, infer_schema_length=None)


def expect(where, what, found, wanted):
    if found != wanted:
        sys.exit(f"{where}: {what}: {found}, and not {wanted}")


def main():
    kind, *arguments = sys.argv[1:]
    verify = {"months": verify_months, "documents": verify_documents, "file": verify_file, "rows": verify_rows}
    print(verify[kind](*arguments))


main()
