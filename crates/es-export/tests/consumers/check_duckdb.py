"""DuckDB reads Parquet, CSV and NDJSON by their names, and Arrow by PyArrow."""

import duckdb
import pyarrow as pa

from expected import FOLDER, FORMULAS, WIDTH, column, report, same

with open(FOLDER / "all.arrows", "rb") as file:
    arrow = pa.ipc.open_stream(file).read_all()
connection = duckdb.connect()
connection.register("arrow", arrow)


def rows(query):
    return connection.execute(query).fetchall()


tables = {
    "parquet": f"read_parquet('{FOLDER}/all.parquet')",
    "ipc-stream": "arrow",
    "csv": f"read_csv('{FOLDER}/flat.csv', nullstr='', allow_quoted_nulls=false)",
    "ndjson": f"read_json('{FOLDER}/all.ndjson', format='newline_delimited', sample_size=-1)",
}
for what, table in tables.items():
    for name in ["i8", "i16", "i32", "i64"]:
        found = rows(f"select count(*), count({name}), sum({name}::hugeint) from {table}")[0]
        values = [value for value in column(name) if value is not None]
        assert found == (1000, 900, sum(values)), f"{what}, {name}: {found}"
    found = rows(f"select epoch_ms(when_ms::timestamptz) from {table}")
    same([row[0] for row in found], column("when_ms"), f"{what}, when_ms")
    for name in ["flag", "f64", "text", "geo.lat"]:
        found = rows(f'select "{name}" from {table}')
        same([row[0] for row in found], column(name), f"{what}, {name}")
described = rows(f"describe select * from {tables['parquet']}")
types = {column[0]: column[1] for column in described}
assert types["u64"] == "UBIGINT" and types["when_ms"] == "TIMESTAMP WITH TIME ZONE", types
assert types["vector"] in ("FLOAT[]", f"FLOAT[{WIDTH}]") and types["tags"] == "VARCHAR[]", types
report("duckdb", duckdb.__version__, *tables)
