"""fastavro reads Avro."""

import datetime

import fastavro

from expected import FOLDER, FORMULAS, column, report, same

with open(FOLDER / "all.avro", "rb") as file:
    reader = fastavro.reader(file)
    fields = {field["name"]: field for field in reader.writer_schema["fields"]}
    rows = list(reader)
assert reader.codec == "deflate", reader.codec
names = {fields[name].get("column", name): name for name in fields}
assert list(names) == [name for name in FORMULAS if name != "u64"], names
assert names["geo.lat"] == "geo_lat"
assert {"type": "long", "logicalType": "timestamp-millis"} in fields["when_ms"]["type"], fields["when_ms"]
epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
for column_name, field in names.items():
    values = [row[field] for row in rows]
    if column_name == "when_ms":
        values = [value and round((value - epoch) / datetime.timedelta(milliseconds=1)) for value in values]
    if column_name == "when_ns" and not isinstance(values[0], int):
        continue  # A reader that knows nanoseconds makes them times of its own.
    same(values, column(column_name), f"avro, {column_name}")
report("fastavro", fastavro.__version__, "avro")
