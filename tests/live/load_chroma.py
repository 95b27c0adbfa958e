"""Puts vectors into a Chroma server and prints the collection's id: load_chroma.py PORT < [["id", [0.5, ...]], ...]."""

import json
import sys

import chromadb
from chromadb.config import Settings

client = chromadb.HttpClient("127.0.0.1", int(sys.argv[1]), settings=Settings(anonymized_telemetry=False))
collection = client.create_collection("docs", embedding_function=None)
vectors = json.load(sys.stdin)
for start in range(0, len(vectors), 1000):
    block = vectors[start : start + 1000]
    collection.add(ids=[id for id, _ in block], embeddings=[vector for _, vector in block])
print(collection.id)
