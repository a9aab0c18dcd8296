"""Another peer's export: an index as a pandas frame into a Parquet file, or into a CSV file, with eland.

usage: eland_export.py to_pandas|to_csv INDEX DESTINATION [DOCUMENTS]

Without DOCUMENTS it is all of them.
"""

import sys

import cluster
import eland


def main():
    method, index, destination, *documents = sys.argv[1:]
    frame = eland.DataFrame(cluster.connect(), es_index_pattern=index)
    if documents:
        frame = frame.head(int(documents[0]))
    if method == "to_csv":
        frame.to_csv(destination, index=False)
    else:
        frame.to_pandas().to_parquet(destination, index=False)


main()
