#!/usr/bin/env python3
"""Measures a server of ours under load: requests per second, p50 and p99, and subscribers of server-sent events.

    tests/load/run.py BINARY [--clients 32] [--seconds 10] [--subscribers 100] [--route /v1/...] [--full]

Starts the binary over a new data directory, makes a token, and asks with as many keep-alive connections as there are clients,
each as soon as it was answered. `--route` may be given again and names what is asked for, in addition to what is always there;
`{run}` in it is the identifier of `--run`. `--events PATH` is subscribed to by all subscribers while the other requests go on.
With `--full`, a run of 50,000 sessions and two retrievers is made first, whose table of scores has 100,000 rows; then a run, a list of
runs, a report and pages of that table are asked for; then all subscribers follow a second run, whose retriever is a slow server of
this script, while requests go on. With `--address` and `--token` a server that runs already is measured, with whatever data it has.

Needs nothing but Python: HTTP/1.1 is spoken over asyncio streams, so that the client is not what is measured.
"""

import argparse
import asyncio
import contextlib
import http.server
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ALWAYS = ["/healthz", "/v1/organisation", "/v1/tokens?limit=100"]


class Connection:
    """One keep-alive connection."""

    def __init__(self, address, token):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.head = f"Host: {address}\r\nAuthorization: Bearer {token}\r\n"

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 20)

    async def get(self, path):
        """Returns the status and the number of bytes of the body."""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self.head}\r\n".encode())
        status, headers = await self.answer()
        if headers.get("transfer-encoding") == "chunked":
            length = 0
            while size := int(await self.reader.readline(), 16):
                await self.reader.readexactly(size + 2)
                length += size
            await self.reader.readline()
        else:
            length = int(headers.get("content-length", 0))
            await self.reader.readexactly(length)
        return status, length

    async def answer(self):
        status = int((await self.reader.readline()).split()[1])
        headers = {}
        while (line := await self.reader.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def close(self):
        self.writer.close()


async def client(address, token, path, until, latencies, statuses):
    connection = Connection(address, token)
    await connection.open()
    while time.perf_counter() < until:
        begun = time.perf_counter()
        status, _ = await connection.get(path)
        latencies.append(time.perf_counter() - begun)
        statuses[status] = statuses.get(status, 0) + 1
    connection.close()


async def subscriber(address, token, path, seen):
    """Counts the events that come until the stream ends or the task is cancelled."""
    connection = Connection(address, token)
    await connection.open()
    connection.writer.write(f"GET {path} HTTP/1.1\r\n{connection.head}Accept: text/event-stream\r\n\r\n".encode())
    status, _ = await connection.answer()
    if status != 200:
        raise SystemExit(f"{path} answered {status}")
    seen["open"] += 1
    while line := await connection.reader.readline():
        if line.startswith(b"id:"):
            seen["events"] += 1
    seen["ended"] += 1


async def measure(address, token, path, arguments):
    latencies, statuses = [], {}
    begun = time.perf_counter()
    until = begun + arguments.seconds
    await asyncio.gather(*(client(address, token, path, until, latencies, statuses) for _ in range(arguments.clients)))
    took = time.perf_counter() - begun
    latencies.sort()
    quantile = lambda share: round(1000 * latencies[min(len(latencies) - 1, int(share * len(latencies)))], 2)
    return {
        "path": path,
        "clients": arguments.clients,
        "requests_per_second": round(len(latencies) / took),
        "p50_ms": quantile(0.5),
        "p99_ms": quantile(0.99),
        "max_ms": round(1000 * latencies[-1], 2),
        "statuses": statuses,
    }


async def main(address, token, arguments):
    warm = Connection(address, token)
    await warm.open()
    for path in arguments.paths:
        await warm.get(path)
    warm.close()
    for path in arguments.paths:
        print(json.dumps(await measure(address, token, path, arguments)), flush=True)
    if arguments.events:
        seen = {"open": 0, "events": 0, "ended": 0}
        subscribers = [
            asyncio.create_task(subscriber(address, token, arguments.events, seen)) for _ in range(arguments.subscribers)
        ]
        await asyncio.sleep(1)
        beside = await measure(address, token, arguments.paths[-1], arguments)
        for task in subscribers:
            task.cancel()
        await asyncio.gather(*subscribers, return_exceptions=True)
        print(json.dumps({"subscribers": arguments.subscribers, **seen, "beside": beside}), flush=True)


def ask(address, token, method, path, body=None):
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://{address}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


BENCHMARK = """
name = "load"
baseline = "words"
candidates = ["{candidate}"]
depth = 10
sessions = {{ path = "files/{sessions}" }}
[corpus.products]
path = "files/products.jsonl"
id = "item_id"
[[retriever]]
id = "words"
stages = [{{ kind = "bm25", corpus = "products", fields = {{ title = 1.0 }} }}]
[[retriever]]
id = "{candidate}"
stages = [{stage}]
[metrics]
k = [5]
primary = "nDCG@5"
"""
TITLES = '{ kind = "bm25", corpus = "products", fields = { title = 3.0 }, b = 0.2 }'


class Slow(http.server.BaseHTTPRequestHandler):
    """A search engine that takes its time."""

    def do_GET(self):
        time.sleep(0.05)
        body = b'{"ids": ["p1", "p2"]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # Who asked may be gone by then: the run is cancelled at the end.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


def prepared(address, token, engine):
    """Makes a finished run with 100,000 rows and begins a slow one; returns their identifiers."""
    colours, things = ["red", "green", "blue", "black", "white"], ["lamp", "kettle", "chair", "table", "mug", "shelf"]
    products = [{"item_id": f"p{n}", "title": f"{colours[n % 5]} {things[n % 6]} {n}"} for n in range(300)]
    lines = lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
    session = lambda n: {
        "session_id": f"s{n:06}",
        "query": f"{colours[n % 5]} {things[n % 6]} {n % 300}",
        "judgments": [{"item_id": f"p{n % 300}", "grade": 2}],
    }
    ask(address, token, "PUT", "/v1/files/products.jsonl", lines(products))
    ask(address, token, "PUT", "/v1/files/many.jsonl", lines(map(session, range(50_000))))
    ask(address, token, "PUT", "/v1/files/few.jsonl", lines(map(session, range(20_000))))
    post = lambda **parts: ask(address, token, "POST", "/v1/runs", {"toml": BENCHMARK.format(**parts)})["id"]
    begun = time.perf_counter()
    run = post(sessions="many.jsonl", candidate="titles", stage=TITLES)
    while not (found := ask(address, token, "GET", f"/v1/runs/{run}"))["ended_at"]:
        time.sleep(0.2)
    if found["state"] != "completed":
        raise SystemExit(found)
    print(json.dumps({"run_of_50000_sessions_seconds": round(time.perf_counter() - begun, 1)}), flush=True)
    stage = f'{{ kind = "http", url = "http://127.0.0.1:{engine}/", ids = "$.ids[*]" }}'
    slow = post(sessions="few.jsonl", candidate="slow", stage=stage)
    while ask(address, token, "GET", f"/v1/runs/{slow}")["phase"] != "replaying":
        time.sleep(0.2)
    return run, slow


def full(address, token, arguments, engine):
    """Measures what is asked of runs, and then the same while all subscribers follow one that goes on."""
    run, slow = prepared(address, token, engine)
    rows = f"/v1/runs/{run}/rows?table=scenario_scores&limit=100&offset=50000"
    arguments.paths = [f"/v1/runs/{run}", "/v1/runs?limit=100", f"/v1/runs/{run}/report", rows, f"/v1/runs/{run}"]
    arguments.events = f"/v1/runs/{slow}/events"
    asyncio.run(main(address, token, arguments))


def served(binary, data, *more):
    """Starts the server; returns its process, address and a token."""
    limits = ["--rate-per-token", "1000000", "--rate-per-organisation", "1000000", *more]
    server = subprocess.Popen(
        [binary, "serve", "--listen", "127.0.0.1:0", "--data", data, "--log", "json", *limits],
        stderr=subprocess.PIPE,
        env={"RUST_LOG": "rematch_server::app=info,warn"},
    )
    for line in server.stderr:
        fields = json.loads(line)["fields"]
        if fields["message"] == "listening":
            break
    else:
        raise SystemExit("the server does not start")
    create = [binary, "token", "create", "load", "--role", "admin", "--data", data]
    token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.strip()
    return server, fields["address"], token


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("binary", nargs="?")
    parser.add_argument("--address")
    parser.add_argument("--token")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--subscribers", type=int, default=100)
    parser.add_argument("--route", action="append", default=[])
    parser.add_argument("--run", default="")
    parser.add_argument("--events")
    parser.add_argument("--full", action="store_true")
    arguments = parser.parse_args()
    arguments.paths = ALWAYS + [route.replace("{run}", arguments.run) for route in arguments.route]
    if arguments.events:
        arguments.events = arguments.events.replace("{run}", arguments.run)
    if arguments.address and arguments.token:
        asyncio.run(main(arguments.address, arguments.token, arguments))
    elif arguments.binary:
        with tempfile.TemporaryDirectory() as folder:
            engine = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
            threading.Thread(target=engine.serve_forever, daemon=True).start()
            allowed = f"127.0.0.1:{engine.server_port}"
            server, address, token = served(arguments.binary, f"{folder}/data", "--allow-outbound", allowed)
            try:
                if arguments.full:
                    full(address, token, arguments, engine.server_port)
                else:
                    asyncio.run(main(address, token, arguments))
            finally:
                server.terminate()
                server.wait()
    else:
        sys.exit("a binary is needed, or --address and --token")
