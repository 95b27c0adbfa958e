#!/usr/bin/env python3
"""Reads figures of a server with the parser of Prometheus' own client library, and checks that they are whole.

    tests/read_figures.py FIGURES.txt
"""

import sys

from prometheus_client.parser import text_string_to_metric_families

with open(sys.argv[1], encoding="utf-8") as file:
    families = {family.name: family for family in text_string_to_metric_families(file.read())}

expected = {
    "rematch_http_requests": "counter",
    "rematch_http_request_duration_seconds": "histogram",
    "rematch_job_duration_seconds": "histogram",
    "rematch_jobs": "gauge",
    "rematch_jobs_queued_seconds": "gauge",
    "rematch_workers": "gauge",
    "rematch_workers_busy": "gauge",
    "rematch_database_bytes": "gauge",
}
found = {name: family.type for name, family in families.items()}
assert found == expected, found
for name, family in families.items():
    assert family.documentation, f"{name} has no help"
    assert family.samples, f"{name} has no samples"
    for sample in family.samples:
        allowed = {"method", "route", "status", "kind", "outcome", "state", "le"}
        assert set(sample.labels) <= allowed, sample
# A histogram counts everything in its last bucket.
for name in [name for name, kind in expected.items() if kind == "histogram"]:
    last, count = {}, {}
    for sample in families[name].samples:
        key = tuple(sorted((label, value) for label, value in sample.labels.items() if label != "le"))
        if sample.labels.get("le") == "+Inf":
            last[key] = sample.value
        elif sample.name.endswith("_count"):
            count[key] = sample.value
    assert last == count and last, (name, last, count)
print(f"{len(families)} families, {sum(len(family.samples) for family in families.values())} samples")
