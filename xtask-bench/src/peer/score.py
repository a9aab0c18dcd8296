"""The peer's scoring: documents of an index, scored by ONNX Runtime and written into another index.

usage: score.py score ROWS INDEX MODEL
       score.py check ROWS INDEX MODEL    prints how many predictions are those of the model
"""

import datetime
import itertools
import sys

import cluster
import numpy as np
import onnxruntime
import pandas as pd
from elasticsearch import helpers

ID = ["carrier", "flight", "time_hour"]
INPUTS = ["distance", "sched_dep_time", "sched_arr_time", "dep_delay", "arr_delay", "air_time", "flight"]
DOCUMENTS_A_PAGE = 10_000
ROWS_A_FRAME = 50_000
DOCUMENTS_A_REQUEST = 2_000
THREADS = 4
FIELDS = list(dict.fromkeys(ID + INPUTS))
MAPPING = {
    "carrier": {"type": "keyword"},
    "flight": {"type": "long"},
    "time_hour": {"type": "date"},
    "prediction": {"type": "long"},
    "probability": {"type": "float"},
    "probabilities": {"properties": {"0": {"type": "float"}, "1": {"type": "float"}}},
    "model": {"type": "keyword"},
    "model_version": {"type": "integer"},
    "run": {"type": "keyword"},
    "scored_at": {"type": "date"},
}


def frames(client, index):
    hits = helpers.scan(client, index=index, size=DOCUMENTS_A_PAGE, query={"_source": FIELDS})
    documents = (hit["_source"] for hit in hits)
    while rows := list(itertools.islice(documents, ROWS_A_FRAME)):
        yield pd.DataFrame(rows, columns=FIELDS)


def scored(session, frame):
    rows = frame[INPUTS].to_numpy(dtype=np.float32)
    return session.run(None, {session.get_inputs()[0].name: rows})


def key(row):
    return f"{row[0]}|{row[1]}|{row[2]}"


def actions(client, session, rows_index, index):
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    for frame in frames(client, rows_index):
        labels, probabilities = scored(session, frame)
        ids = frame[ID].itertuples(index=False)
        for row, label, both in zip(ids, labels.tolist(), probabilities.tolist()):
            yield {
                "_index": index,
                "_id": key(row),
                "_source": {
                    "carrier": row[0],
                    "flight": row[1],
                    "time_hour": row[2],
                    "prediction": label,
                    "probability": both[1],
                    "probabilities": {"0": both[0], "1": both[1]},
                    "model": "bench",
                    "model_version": 1,
                    "run": "peer",
                    "scored_at": now,
                },
            }


def score(client, session, rows_index, index):
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    client.indices.create(index=index, mappings={"properties": MAPPING}, settings=settings)
    results = helpers.parallel_bulk(
        client,
        actions(client, session, rows_index, index),
        thread_count=THREADS,
        chunk_size=DOCUMENTS_A_REQUEST,
    )
    for _ in results:
        pass
    client.indices.put_settings(index=index, settings={"refresh_interval": None})
    client.indices.refresh(index=index)


def check(client, session, rows_index, index):
    client.indices.refresh(index=index)
    wanted = {}
    for frame in frames(client, rows_index):
        labels, probabilities = scored(session, frame)
        ids = frame[ID].itertuples(index=False)
        wanted.update(zip(map(key, ids), zip(labels.tolist(), probabilities[:, 1].tolist())))
    fields = {"_source": [*ID, "prediction", "probability"]}
    right = 0
    for hit in helpers.scan(client, index=index, size=DOCUMENTS_A_PAGE, query=fields):
        document = hit["_source"]
        label, probability = wanted[key([document[name] for name in ID])]
        right += document["prediction"] == label and abs(document["probability"] - probability) <= 1e-5
    print(right)


def main():
    what, rows_index, index, model = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    {"score": score, "check": check}[what](cluster.connect(), session, rows_index, index)


main()
