"""A hub on this machine: the endpoints of the real one that zoos are fetched from and sent to, and its failures."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

Files = dict[str, bytes]


@dataclass
class Store:
    """What the hub holds, and how it misbehaves.

    Attributes
    ----------
    commits
        Repository and commit to files.
    branches
        Repository and branch to the commit that it means.
    break_after
        Files whose next answers break off after so many bytes, an answer each.
    announced
        Files for which a HEAD tells another size than that of the content.
    in_storage
        Whether shards are handed over by a storage server at another address, as large files are.
    seen
        Every request: method, path, and the range that was asked for.
    tokens
        Paths of the requests that bore the user's token.
    """

    commits: dict[tuple[str, str], Files] = field(default_factory=dict)
    branches: dict[tuple[str, str], str] = field(default_factory=dict)
    break_after: dict[str, list[int]] = field(default_factory=dict)
    announced: dict[str, int] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    in_storage: bool = False
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    url: str = ""
    storage_url: str = ""

    def commit(self, repository: str, files: Files, branch: str = "main") -> str:
        """Add a commit, and let the branch mean it."""
        number = len(self.commits)
        sha = hashlib.sha1(f"{repository} {number}".encode()).hexdigest()
        self.commits[repository, sha] = dict(files)
        self.branches[repository, branch] = sha
        return sha

    def files(self, repository: str, revision: str) -> tuple[str, Files] | None:
        """The commit that a revision means, and its files."""
        sha = self.branches.get((repository, revision), revision)
        found = self.commits.get((repository, sha))
        return None if found is None else (sha, found)

    def downloads(self) -> list[str]:
        """Files whose content was asked for, in order."""
        return [path.split("/", 6)[6] for method, path, _ in self.seen if method == "GET" and "/resolve/" in path]


def files_of(folder: Path) -> Files:
    """A folder's files by their paths in it."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Handler(BaseHTTPRequestHandler):
    """Answers requests from the store."""

    protocol_version = "HTTP/1.1"
    store: Store

    def do_HEAD(self) -> None:
        self._route("HEAD", b"")

    def do_GET(self) -> None:
        self._route("GET", b"")

    def do_POST(self) -> None:
        self._route("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def do_PUT(self) -> None:
        self._route("PUT", self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def log_message(self, *_: object) -> None:
        pass

    def _route(self, method: str, body: bytes) -> None:
        path = unquote(urlsplit(self.path).path)
        self.store.seen.append((method, path, self.headers.get("Range", "")))
        if "Authorization" in self.headers:
            self.store.tokens.add(path)
        for pattern, answer in (
            (r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._resolve),
            (r"/api/datasets/([^/]+/[^/]+)/revision/(.+)", self._info),
            (r"/api/datasets/([^/]+/[^/]+)/tree/([^/]+)", self._tree),
            (r"/api/datasets/([^/]+/[^/]+)/preupload/(.+)", self._preupload),
            (r"/api/datasets/([^/]+/[^/]+)/commit/(.+)", self._commit),
            (r"/datasets/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self._batch),
            (r"/upload/([0-9a-f]+)", self._upload),
            (r"/storage/([^/]+/[^/]+)/([^/]+)/(.+)", self._content),
            (r"/api/repos/create", self._create),
            (r"/api/validate-yaml", lambda body: self._json({"errors": [], "warnings": []})),
        ):
            found = re.fullmatch(pattern, path)
            if found:
                answer(*found.groups(), body)
                return
        self._refuse(404, None)

    def _json(self, content: Any, status: int = 200) -> None:
        self._send(status, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status: int, code: str | None) -> None:
        self._send(status, b"", {"X-Error-Code": code} if code else {})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _resolve(self, repository: str, revision: str, file: str, _: bytes) -> None:
        found = self.store.files(repository, revision)
        if found is None or file not in found[1]:
            self._refuse(404, "RepoNotFound" if found is None else "EntryNotFound")
        elif self.store.in_storage and file.endswith(".safetensors"):
            self.send_response(302)
            self.send_header("Location", f"{self.store.storage_url}/storage/{repository}/{revision}/{file}")
            self.send_header("X-Linked-Size", str(len(found[1][file])))
            self.send_header("X-Linked-ETag", f'"{hashlib.sha256(found[1][file]).hexdigest()}"')
            self.send_header("X-Repo-Commit", found[0])
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._content(repository, revision, file, b"")

    def _content(self, repository: str, revision: str, file: str, _: bytes) -> None:
        found = self.store.files(repository, revision)
        assert found is not None
        sha, files = found
        content = files[file]
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", sha)
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        length = len(content) - begin
        if self.command == "HEAD":
            length = self.store.announced.get(file, length)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "GET":
            cuts = self.store.break_after.get(file, [])
            cut = cuts.pop(0) if cuts else None
            self.wfile.write(content[begin:] if cut is None else content[begin : begin + cut])
            if cut is not None:
                self.close_connection = True

    def _info(self, repository: str, revision: str, _: bytes) -> None:
        found = self.store.files(repository, revision)
        if found is None:
            self._refuse(404, "RepoNotFound")
            return
        sha, files = found
        self._json({"id": repository, "sha": sha, "siblings": [{"rfilename": name} for name in sorted(files)]})

    def _tree(self, repository: str, revision: str, _: bytes) -> None:
        found = self.store.files(repository, revision)
        if found is None:
            self._refuse(404, "RepoNotFound")
            return
        entries = [
            {"type": "file", "path": name, "size": len(data), "oid": "0" * 40} for name, data in found[1].items()
        ]
        self._json(entries)

    def _create(self, body: bytes) -> None:
        asked = json.loads(body)
        repository = f"{asked.get('organization') or 'me'}/{asked['name']}"
        if (repository, "main") in self.store.branches:
            self._json({"url": f"{self.store.url}/datasets/{repository}"}, 409)
            return
        self.store.commit(repository, {".gitattributes": b""})
        self._json({"url": f"{self.store.url}/datasets/{repository}"})

    def _preupload(self, repository: str, revision: str, body: bytes) -> None:
        def mode(path: str) -> str:
            return "lfs" if path.endswith((".safetensors", ".parquet", ".png")) else "regular"

        asked = [file["path"] for file in json.loads(body)["files"]]
        self._json({"files": [{"path": path, "uploadMode": mode(path), "shouldIgnore": False} for path in asked]})

    def _batch(self, repository: str, body: bytes) -> None:
        objects = []
        for asked in json.loads(body)["objects"]:
            upload = {"href": f"{self.store.url}/upload/{asked['oid']}", "header": {}}
            objects.append({**asked, "authenticated": True, "actions": {"upload": upload}})
        self._json({"transfer": "basic", "objects": objects})

    def _upload(self, oid: str, body: bytes) -> None:
        assert hashlib.sha256(body).hexdigest() == oid
        self.store.uploads[oid] = body
        self._send(200, b"", {})

    def _commit(self, repository: str, revision: str, body: bytes) -> None:
        _, files = self.store.files(repository, revision) or ("", {})
        files = dict(files)
        for line in map(json.loads, body.splitlines()):
            kind, value = line["key"], line["value"]
            if kind == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif kind == "lfsFile":
                files[value["path"]] = self.store.uploads[value["oid"]]
            elif kind == "deletedFile":
                del files[value["path"]]
        sha = self.store.commit(repository, files, revision)
        url = f"{self.store.url}/datasets/{repository}/commit/{sha}"
        self._json({"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": ""})


@contextmanager
def serving(store: Store) -> Iterator[Store]:
    """The store behind a server on loopback."""
    handler = type("Bound", (Handler,), {"store": store})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    threads = [Thread(target=server.serve_forever, daemon=True) for server in servers]
    store.url, store.storage_url = (f"http://127.0.0.1:{server.server_address[1]}" for server in servers)
    try:
        for thread in threads:
            thread.start()
        yield store
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
