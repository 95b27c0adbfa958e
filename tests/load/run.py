#!/usr/bin/env python3
"""Measures a server of ours under load: requests per second, p50 and p99, and subscribers of server-sent events.

    tests/load/run.py BINARY [--clients 32] [--seconds 10] [--subscribers 100] [--route /v1/...]

Starts the binary over a new data directory, makes a token, and asks with as many keep-alive connections as there are clients,
each as soon as it was answered. `--route` may be given again and names what is asked for, in addition to what is always there;
`{run}` in it is the identifier of `--run`. `--events PATH` is subscribed to by all subscribers while the other requests go on.
With `--address` and `--token` a server that runs already is measured, with whatever data it has.

Needs nothing but Python: HTTP/1.1 is spoken over asyncio streams, so that the client is not what is measured.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time

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


def served(binary, data):
    """Starts the server; returns its process, address and a token."""
    limits = ["--rate-per-token", "1000000", "--rate-per-organisation", "1000000"]
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
    arguments = parser.parse_args()
    arguments.paths = ALWAYS + [route.replace("{run}", arguments.run) for route in arguments.route]
    if arguments.events:
        arguments.events = arguments.events.replace("{run}", arguments.run)
    if arguments.address and arguments.token:
        asyncio.run(main(arguments.address, arguments.token, arguments))
    elif arguments.binary:
        with tempfile.TemporaryDirectory() as folder:
            server, address, token = served(arguments.binary, f"{folder}/data")
            try:
                asyncio.run(main(address, token, arguments))
            finally:
                server.terminate()
                server.wait()
    else:
        sys.exit("a binary is needed, or --address and --token")
