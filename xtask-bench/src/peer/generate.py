"""Makes the documents of a benchmark, and the index that they go into.

usage: generate.py flights|five|forty|vectors DOCUMENTS PARQUET INDEX_BODY

The flights are there already; of them only INDEX_BODY is written. The values depend on the number
of the document and of the column alone. Numbers with a fraction are multiples of 1/64, so that
their sum is the same in whatever order they are added.
"""

import json
import sys
from datetime import datetime, timezone

import polars as pl

DIMENSIONS = 384
# Made at once, so that the memory that it takes does not depend on how many there are.
ROWS_A_PART = 100_000


def random(rows, column):
    """64 random bits for each row."""
    return rows.hash(seed=column)


def integer(rows, column):
    return (random(rows, column) % 1_000_000).cast(pl.Int64) - 500_000


def fraction(rows, column):
    return (random(rows, column) % 65_536).cast(pl.Float64) / 64


def word(rows, column, different=1_000):
    return "word-" + (random(rows, column) % different).cast(pl.String)


def truth(rows, column):
    return random(rows, column) % 2 == 0


def moment(rows, column):
    start = int(datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp() * 1_000)
    return ((random(rows, column) % 100_000_000_000).cast(pl.Int64) + start).cast(pl.Datetime("ms", "UTC"))


def sometimes(values, rows, column):
    """One in twenty is missing."""
    return pl.select(pl.when(random(rows, column) % 20 != 0).then(values)).to_series()


def five(rows):
    return {
        "id": rows,
        "amount": integer(rows, 1),
        "price": fraction(rows, 2),
        "place": word(rows, 3),
        "at": moment(rows, 4),
    }


def forty(rows):
    columns = {"id": rows}
    kinds = [(10, "count", integer), (10, "measure", fraction), (12, "word", word), (3, "flag", truth), (4, "time", moment)]
    for count, name, make in kinds:
        for number in range(count):
            column = len(columns)
            values = make(rows, column)
            # Every third column has gaps.
            columns[f"{name}_{number}"] = sometimes(values, rows, 100 + column) if number % 3 == 2 else values
    return columns


def vectors(rows):
    numbers = pl.int_range(rows[0] * DIMENSIONS, (rows[-1] + 1) * DIMENSIONS, eager=True)
    # 24 bits, which a float32 holds exactly.
    values = (random(numbers, 1) // 2**40).cast(pl.Float32) / 2**23 - 1
    return {"id": rows, "vector": values.reshape((len(rows), DIMENSIONS))}


def field(dtype):
    if isinstance(dtype, pl.Array):
        # Searching is not what is measured, and building a graph for it would hide everything else.
        return {"type": "dense_vector", "dims": dtype.size, "index": False}
    if dtype.is_temporal():
        return {"type": "date"}
    if dtype.is_integer():
        return {"type": "long"}
    if dtype.is_float():
        return {"type": "double"}
    return {"type": "boolean" if dtype == pl.Boolean else "keyword"}


def main():
    kind, documents, parquet, index_body = sys.argv[1:]
    documents = int(documents)
    make = {"five": five, "forty": forty, "vectors": vectors}.get(kind)
    if make:
        parts = range(0, documents, ROWS_A_PART)
        rows = (pl.int_range(first, min(first + ROWS_A_PART, documents), eager=True).alias("id") for first in parts)
        frame = pl.concat([pl.DataFrame(make(part)) for part in rows], rechunk=False)
        frame.write_parquet(parquet, row_group_size=10_000 if kind == "vectors" else 100_000)
    schema = pl.read_parquet_schema(parquet)
    body = {
        "settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}},
        "mappings": {"dynamic": "strict", "properties": {name: field(dtype) for name, dtype in schema.items()}},
    }
    with open(index_body, "w") as file:
        json.dump(body, file)


main()
