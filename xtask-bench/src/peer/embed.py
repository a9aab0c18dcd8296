"""The peer's embedding: texts of an index, embedded by ONNX Runtime and written into another index.

usage: embed.py embed TEXTS INDEX MODEL_FOLDER
       embed.py check TEXTS INDEX MODEL_FOLDER    prints how many vectors are those of the model
"""

import itertools
import sys

import cluster
import numpy as np
import onnxruntime
from elasticsearch import helpers
from tokenizers import Tokenizer

DOCUMENTS_A_PAGE = 5_000
TEXTS_SORTED = 1024
TEXTS_A_BATCH = 32
DOCUMENTS_A_REQUEST = 500
THREADS = 2
CHECKED = 500
COSINE = 1 - 1e-5


def documents(client, index):
    return helpers.scan(client, index=index, size=DOCUMENTS_A_PAGE)


def embedded(session, tokenizer, texts):
    """The vectors of texts, in their order. Texts of similar length are computed together."""
    encodings = tokenizer.encode_batch(texts)
    order = sorted(range(len(texts)), key=lambda place: len(encodings[place].ids))
    vectors = [None] * len(texts)
    for start in range(0, len(order), TEXTS_A_BATCH):
        batch = order[start : start + TEXTS_A_BATCH]
        longest = max(len(encodings[place].ids) for place in batch)
        ids = np.zeros((len(batch), longest), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, place in enumerate(batch):
            tokens = encodings[place].ids
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        inputs = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {one.name for one in session.get_inputs()}
        states = session.run(None, {name: value for name, value in inputs.items() if name in wanted})[0]
        weights = mask[:, :, None].astype(np.float32)
        means = (states * weights).sum(axis=1) / weights.sum(axis=1)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        for row, place in enumerate(batch):
            vectors[place] = means[row]
    return vectors


def actions(client, session, tokenizer, texts_index, index):
    hits = documents(client, texts_index)
    while page := list(itertools.islice(hits, TEXTS_SORTED)):
        texts = [hit["_source"]["text"] for hit in page]
        for hit, vector in zip(page, embedded(session, tokenizer, texts)):
            source = {"parent": hit["_id"], "n": hit["_source"]["n"], "text": hit["_source"]["text"]}
            yield {"_index": index, "_id": f"{hit['_id']}|0", "_source": {**source, "vector": vector.tolist()}}


def embed(client, session, tokenizer, texts_index, index):
    dims = session.get_outputs()[0].shape[-1]
    properties = {
        "parent": {"type": "keyword"},
        "n": {"type": "long"},
        "text": {"type": "text"},
        "vector": {"type": "dense_vector", "dims": dims, "index": True, "similarity": "dot_product"},
    }
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    client.indices.create(index=index, mappings={"properties": properties}, settings=settings)
    results = helpers.parallel_bulk(
        client,
        actions(client, session, tokenizer, texts_index, index),
        thread_count=THREADS,
        chunk_size=DOCUMENTS_A_REQUEST,
    )
    for _ in results:
        pass
    client.indices.refresh(index=index)


def check(client, session, tokenizer, texts_index, index):
    client.indices.refresh(index=index)
    count = client.count(index=index)["count"]
    sample = list(itertools.islice(documents(client, texts_index), CHECKED))
    wanted = embedded(session, tokenizer, [hit["_source"]["text"] for hit in sample])
    for hit, vector in zip(sample, wanted):
        query = {"term": {"parent": hit["_id"]}}
        found = client.search(index=index, query=query, fields=["vector"], source=False)["hits"]["hits"]
        cosine = float(np.dot(np.array(found[0]["fields"]["vector"], dtype=np.float32), vector))
        if len(found) != 1 or cosine < COSINE:
            sys.exit(f"the vector of {hit['_id']} has a cosine of {cosine} with that of Python")
    print(count)


def main():
    what, texts_index, index, folder = sys.argv[1:]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options, providers=["CPUExecutionProvider"])
    tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    {"embed": embed, "check": check}[what](cluster.connect(), session, tokenizer, texts_index, index)


main()
