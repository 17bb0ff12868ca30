"""The hub, played by a server on this machine: download, cache, and every way of not getting a file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.datasets.hub_layout import write_images

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# repository -> (status, the hub's error code)
REFUSALS = {
    "uoft-cs/cifar100": (403, "GatedRepo"),
    "ufldl-stanford/svhn": (404, "RepoNotFound"),
    "zh-plus/tiny-imagenet": (404, "EntryNotFound"),
    "ylecun/mnist": (503, None),
}
LOAD = """
import json, sys
from wslbench.datasets import load_dataset
from wslbench.errors import DatasetError
for name in sys.argv[1:]:
    try:
        print(json.dumps(load_dataset(name).train_labels.tolist()))
    except DatasetError as error:
        print(json.dumps(str(error)))
"""


class Hub(BaseHTTPRequestHandler):
    """Answers the two requests of a download as the hub does: HEAD for the metadata, GET for the content."""

    folder: Path
    seen: list[str]

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        self.seen.append(f"{self.command} {self.path}")
        owner, name, _, _, *file = self.path.removeprefix("/datasets/").split("/")
        repository = f"{owner}/{name}"
        if repository in REFUSALS:
            status, code = REFUSALS[repository]
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = (self.folder / name / "/".join(file)).read_bytes()
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    write_images(tmp_path / "hub", "cifar10", train=20, test=10)
    Hub.folder, Hub.seen = tmp_path / "hub", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def load(tmp_path: Path, port: int, *names: str, **environment: str) -> list[str | list[int]]:
    """What each data set gives in a fresh process: train labels, or the error."""
    unwanted = ("HF_", "HUGGING", "WSLBENCH_DATA", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(unwanted)}
    clean |= {"HF_ENDPOINT": f"http://127.0.0.1:{port}", "HF_HOME": str(tmp_path / "hf"), **environment}
    clean |= {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *names], capture_output=True, text=True, env=clean, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_files_are_downloaded_once_and_serve_offline(tmp_path: Path, hub: ThreadingHTTPServer) -> None:
    port = hub.server_address[1]
    labels = [i % 10 for i in range(20)]
    assert load(tmp_path, port, "cifar10") == [labels]
    downloads = [request for request in Hub.seen if request.startswith("GET")]
    assert sorted(downloads) == [
        f"GET /datasets/uoft-cs/cifar10/resolve/main/plain_text/{part}-00000-of-00001.parquet"
        for part in ("test", "train")
    ]
    Hub.seen.clear()
    assert load(tmp_path, port, "cifar10", HF_HUB_OFFLINE="1") == [labels]
    assert Hub.seen == []


def test_refusals_are_told_apart(tmp_path: Path, hub: ThreadingHTTPServer) -> None:
    names = ("cifar100", "svhn", "tiny_imagenet", "mnist")
    gated, missing, moved, down = load(tmp_path, hub.server_address[1], *names)
    assert "uoft-cs/cifar100 cannot be fetched from the hub: the repository is gated" in gated
    assert "it has no such repository" in missing
    assert "the repository no longer has that file" in moved
    assert "it answered with status 503" in down


def test_an_unreachable_hub_and_offline_mode_say_what_to_fetch_and_where_to_put_it(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as closed:
        port = closed.server_address[1]
    (unreachable,) = load(tmp_path, port, "cifar10")
    (offline,) = load(tmp_path, port, "cifar10", HF_HUB_OFFLINE="1")
    assert f"http://127.0.0.1:{port} is unreachable" in unreachable
    assert "HF_HUB_OFFLINE is set" in offline
    for message in (unreachable, offline):
        assert "$WSLBENCH_DATA/cifar10 (WSLBENCH_DATA is not set)" in message
        assert "hf download uoft-cs/cifar10 --repo-type dataset" in message
        assert '--include "plain_text/t*.parquet" --local-dir cifar10' in message
