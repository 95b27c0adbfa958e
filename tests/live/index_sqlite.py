"""Makes a SQLite database whose table `docs` is full text: index_sqlite.py DOCUMENTS.jsonl DATABASE."""

import json
import sqlite3
import sys

documents, database = sys.argv[1:]
connection = sqlite3.connect(database)
connection.execute("CREATE VIRTUAL TABLE docs USING fts5(id UNINDEXED, title, text, tokenize = 'porter unicode61')")
with open(documents, encoding="utf-8") as lines:
    rows = (json.loads(line) for line in lines)
    connection.executemany("INSERT INTO docs VALUES (:_id, :title, :text)", rows)
connection.commit()
