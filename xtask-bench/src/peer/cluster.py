"""The connection that the environment names, by the same variables that orchestrator reads."""

import os

from elasticsearch import Elasticsearch


def connect():
    options = {"request_timeout": 120}
    key = os.environ.get("ELASTICSEARCH_API_KEY")
    user = os.environ.get("ELASTICSEARCH_USER")
    if key:
        options["api_key"] = tuple(key.split(":", 1)) if ":" in key else key
    elif user:
        options["basic_auth"] = (user, os.environ.get("ELASTICSEARCH_PASSWORD", ""))
    ca_cert = os.environ.get("ELASTICSEARCH_CA_CERT")
    if ca_cert:
        options["ca_certs"] = ca_cert
    return Elasticsearch(os.environ["ELASTICSEARCH_URL"], **options)


def leaves_vectors_out(client):
    """Whether `_source` comes without vectors unless they are asked for, as it does since 9.2."""
    major, minor = client.cat.nodes(h="version", format="json")[0]["version"].split(".")[:2]
    return (int(major), int(minor)) >= (9, 2)
