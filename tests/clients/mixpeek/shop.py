"""The shop of data/shop, brought to a server: its products as a corpus, and two retrievers over them."""

import contextlib
import datetime
import json
import os
import pathlib
import time
import urllib.request
import uuid

import mixpeek

ADDRESS = os.environ["ADDRESS"]
TOKEN = os.environ["TOKEN"]
REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PRODUCTS = REPOSITORY / "data/shop/products.jsonl"
# Nothing of an earlier driver, or of another family, is in it.
NAMESPACE = f"ns_{uuid.uuid4().hex[:12]}"
CORPUS = f"products-{uuid.uuid4().hex[:12]}"


def native(method, path, body, kind="application/json"):
    """Sends a request to the native API."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": kind}
    request = urllib.request.Request(f"http://{ADDRESS}/v1{path}", data=body, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def bring_products():
    """Uploads the products and names them as a corpus."""
    native("PUT", f"/files/{CORPUS}.jsonl", PRODUCTS.read_bytes(), "application/octet-stream")
    native("PUT", f"/corpora/{CORPUS}", json.dumps({"path": f"{CORPUS}.jsonl", "id": "item_id"}).encode())


@contextlib.contextmanager
def client(token=TOKEN, namespace=NAMESPACE):
    """Returns a client as its documentation makes one."""
    configuration = mixpeek.Configuration(
        host=f"http://{ADDRESS}", access_token=token, api_key={"NamespaceHeader": namespace}
    )
    with mixpeek.ApiClient(configuration) as made:
        yield made


def bm25(title):
    """Returns the keys of a BM25 stage with that weight of titles."""
    return {"corpus": CORPUS, "fields": {"title": title, "description": 1.0}, "k1": 0.9, "b": 0.4}


def stages(title):
    """Returns the stages of a retriever by BM25."""
    config = {"stage_id": "bm25", "parameters": bm25(title)}
    return [{"stage_name": "words", "stage_type": "filter", "config": config}]


def register(api, name, title):
    """Registers a retriever through the generated client, and returns its identifier."""
    request = mixpeek.CreateRetrieverRequest(
        retriever_name=name, stages=stages(title), collection_identifiers=[CORPUS]
    )
    made = api.create_retriever(request)
    assert made.retriever_name == name and made.stages[0].parameters["k1"] == 0.9, made
    return made.retriever_id


def register_failing(api):
    """Registers a retriever that fails at every search, and returns its identifier."""
    query = f'SELECT item_id, CAST($query AS INT) AS score FROM "{CORPUS}" ORDER BY score DESC, item_id LIMIT $depth'
    config = {"stage_id": "sql", "parameters": {"corpora": [CORPUS], "query": query}}
    stages = [{"stage_name": "wrong", "stage_type": "filter", "config": config}]
    return api.create_retriever(mixpeek.CreateRetrieverRequest(retriever_name="failing", stages=stages)).retriever_id


def ended(ask):
    """Asks until what is asked for has ended."""
    seen = []
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        found = ask()
        if not seen or seen[-1] != found.status.value:
            seen.append(found.status.value)
        if found.status.value in ("completed", "failed"):
            return found, seen
        time.sleep(0.02)
    raise AssertionError(f"no end after {seen}")


def refused(exception, call, status):
    """Checks that a call is refused with the error of that status, and returns the parsed body."""
    try:
        found = call()
    except exception as error:
        assert error.status == status, error
        assert isinstance(error.data, mixpeek.ErrorResponse), repr(error.data)
        assert error.data.success is False and error.data.status == status, error.data
        return error.data.error
    raise AssertionError(f"expected {exception.__name__}, found {found!r}")


def iso(moment):
    """Returns a time as clients send it."""
    return moment.astimezone(datetime.timezone.utc).isoformat()
