"""A Google Cloud Storage for tests: the storage of gcp-storage-emulator behind the XML API.

    python gcs_server.py PORT BUCKET

The emulator speaks the JSON API, which stays under /storage, /upload and /download. The client of the engine speaks the XML API
(https://cloud.google.com/storage/docs/xml-api/overview), of which the emulator knows only unconditional PUT and whole GET. The
rest is here, as that documentation has it: HEAD, ranges, `If-Match`, `x-goog-if-generation-match`, DELETE, listings, uploads in
pieces. All of it lies in the emulator's own storage, so that one API reads what the other wrote.
"""

import email.utils
import hashlib
import re
import sys
import threading
import uuid
from datetime import datetime, timezone
from functools import partial
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import buckets, objects
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

LOCK = threading.Lock()
UPLOADS = {}
# Fewer than a real listing has, so that listings of tests have several pages.
PAGE = 50


class Handler(RequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_one_request(self):
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        # What follows an answer to HEAD would be taken for the next answer.
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def do(self, json, method):
        address = urlsplit(self.path)
        if re.match(r"^/(storage|upload|download|batch)/", address.path):
            with LOCK:
                return json()
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK:
            if bucket not in self.storage.buckets:
                return self.refuse(404, "NoSuchBucket")
            return method(bucket, key, query, body)

    def do_GET(self):
        self.do(super().do_GET, self.get)

    def do_HEAD(self):
        self.do(lambda: self.answer(501), self.get)

    def do_PUT(self):
        self.do(super().do_PUT, self.put)

    def do_POST(self):
        self.do(super().do_POST, self.post)

    def do_DELETE(self):
        self.do(super().do_DELETE, self.delete)

    def find(self, bucket, key):
        try:
            return self.storage.get_file_obj(bucket, key)
        except NotFound:
            return None

    @staticmethod
    def headers_of(found):
        updated = datetime.fromisoformat(found["updated"].replace("Z", "+00:00"))
        return {
            "ETag": f'"{found["generation"]}"',
            "Last-Modified": email.utils.format_datetime(updated.astimezone(timezone.utc), usegmt=True),
            "x-goog-generation": found["generation"],
        }

    def get(self, bucket, key, query, _):
        if not key:
            return self.list(bucket, query)
        found = self.find(bucket, key)
        if found is None:
            return self.refuse(404, "NoSuchKey")
        headers, content = self.headers_of(found), self.storage.get_file(bucket, key)
        if self.headers.get("If-Match", headers["ETag"]) != headers["ETag"]:
            return self.refuse(412, "PreconditionFailed")
        if self.command == "HEAD":
            return self.answer(200, b"", headers, len(content))
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        if not wanted:
            return self.answer(200, content, headers)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content) - 1), len(content) - 1)
        if start > end:
            return self.refuse(416, "InvalidRange")
        headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
        return self.answer(206, content[start : end + 1], headers)

    def list(self, bucket, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
        found, prefixes = self.storage.get_file_list(bucket, prefix, delimiter)
        after = query.get("continuation-token", "")
        rest = [item for item in found if item["name"] > after]
        page, text = rest[:PAGE], []
        for item in page:
            text.append(
                f"<Contents><Key>{escape(item['name'])}</Key><Size>{item['size']}</Size>"
                f"<LastModified>{item['updated']}</LastModified><ETag>\"{item['generation']}\"</ETag></Contents>"
            )
        if not after:
            text += [f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in prefixes]
        if len(rest) > PAGE:
            text.append(f"<NextContinuationToken>{escape(page[-1]['name'])}</NextContinuationToken>")
        self.answer(200, f"<ListBucketResult>{''.join(text)}</ListBucketResult>".encode())

    def store(self, bucket, key, body):
        made = objects._make_object_resource("", bucket, key, "application/octet-stream", str(len(body)))
        made = objects._checksums(body, made)
        self.storage.create_file(bucket, key, body, made)
        return {"ETag": f'"{made["generation"]}"', "x-goog-generation": made["generation"]}

    def put(self, bucket, key, query, body):
        if "uploadId" in query:
            tag = f'"{hashlib.md5(body).hexdigest()}"'
            UPLOADS[query["uploadId"]][int(query["partNumber"])] = (tag, body)
            return self.answer(200, b"", {"ETag": tag})
        expected = self.headers.get("x-goog-if-generation-match")
        found = self.find(bucket, key)
        if expected is not None and expected != (found["generation"] if found else "0"):
            return self.refuse(412, "PreconditionFailed")
        return self.answer(200, b"", self.store(bucket, key, body))

    def post(self, bucket, key, query, body):
        if "uploads" in query:
            number = uuid.uuid4().hex
            UPLOADS[number] = {}
            text = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
            return self.answer(200, text.encode())
        parts = UPLOADS.pop(query["uploadId"])
        numbers = [int(number) for number in re.findall(r"<PartNumber>(\d+)</PartNumber>", body.decode())]
        headers = self.store(bucket, key, b"".join(parts[number][1] for number in numbers))
        text = f"<CompleteMultipartUploadResult><ETag>{escape(headers['ETag'])}</ETag></CompleteMultipartUploadResult>"
        return self.answer(200, text.encode(), headers)

    def delete(self, bucket, key, query, _):
        if "uploadId" in query:
            UPLOADS.pop(query["uploadId"], None)
            return self.answer(204)
        if self.find(bucket, key) is None:
            return self.refuse(404, "NoSuchKey")
        self.storage.delete_file(bucket, key)
        return self.answer(204)


def main():
    port, bucket = int(sys.argv[1]), sys.argv[2]
    storage = Storage(use_memory_fs=True)
    buckets.create_bucket(bucket, storage)
    # Deleted is deleted, not kept for a week.
    storage.buckets[bucket].pop("softDeletePolicy", None)
    ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, storage)).serve_forever()


if __name__ == "__main__":
    main()
