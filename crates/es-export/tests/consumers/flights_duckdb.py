"""DuckDB reads the training set."""

import duckdb

from training_set import FOLDER, PARTS, agree, report

DTYPES = {
    "large_string": "VARCHAR", "int32": "INTEGER", "int64": "BIGINT", "double": "DOUBLE",
    "timestamp[ms, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
}
NUMBERS = {"VARCHAR": "strlen({})", "TIMESTAMP WITH TIME ZONE": "epoch_ms({})"}

connection = duckdb.connect()


def read(part):
    table = f"read_parquet('{FOLDER}/{part}/*.parquet')"
    types = {row[0]: row[1] for row in connection.execute(f"describe select * from {table}").fetchall()}
    sums = [f"count({name}), sum({NUMBERS.get(dtype, '{}').format(name)})" for name, dtype in types.items()]
    rows, *values = connection.execute(f"select count(*), {', '.join(sums)} from {table}").fetchone()
    counts, totals = values[::2], values[1::2]
    found = {name: (types[name], rows - count, total) for name, count, total in zip(types, counts, totals)}
    return agree(part, rows, found, lambda column: DTYPES[column["type"]])


report("duckdb", duckdb.__version__, [read(part) for part in PARTS], "parquet")
