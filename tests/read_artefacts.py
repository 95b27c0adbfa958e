"""Reads a finished run's artefacts with programs that are not ours: pyarrow, DuckDB and a JSON Schema validator.

usage: read_artefacts.py RUN_DIRECTORY REPORT_SCHEMA
"""
import json
import pathlib
import sys

import duckdb
import jsonschema
import pyarrow.parquet

run, schema_path = map(pathlib.Path, sys.argv[1:3])
report = json.loads((run / "report.json").read_text())
jsonschema.Draft202012Validator(json.loads(schema_path.read_text())).validate(report)

arms, sessions = len(report["results"]), report["run"]["selection"]["sampled"]
metrics, candidates = len(report["run"]["metrics"]), len(report["comparison"]["comparisons"])
rows = {
    "sessions": sessions,
    "rankings": sessions * arms,
    "scenario_scores": sessions * arms,
    "comparisons": metrics * candidates,
    "taxonomy": None,
}
for name, expected in rows.items():
    path = run / f"{name}.parquet"
    table = pyarrow.parquet.read_table(path)
    counted = duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall()[0][0]
    assert table.num_rows == counted, (name, table.num_rows, counted)
    assert expected in (None, counted), (name, counted, expected)

primary = report["run"]["primary_metric"]
for result in report["results"]:
    mean = duckdb.sql(
        f"""SELECT avg("{primary}") FROM '{run}/scenario_scores.parquet' WHERE retriever_id = '{result["retriever_id"]}'"""
    ).fetchall()[0][0]
    assert abs(mean - result["scores"][primary]["mean"]) < 1e-12, (result["retriever_id"], mean)
print(f"read {len(rows)} tables and the report of {sessions} sessions, {arms} retrievers")
