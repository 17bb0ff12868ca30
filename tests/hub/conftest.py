"""A hub with a zoo on it, in the place of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from tests.hub.loopback_hub import Store, files_of, serving

REPOSITORY = "someone/tiny-cnn"


@pytest.fixture
def hub(built_tiny_zoo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """The hub with the tiny zoo, and an empty cache."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WSLBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
    with serving(Store()) as store:
        store.commit(REPOSITORY, files_of(built_tiny_zoo))
        # The library reads its environment once, when it is first imported.
        monkeypatch.setattr(constants, "ENDPOINT", store.url)
        template = store.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)  # whatever the environment says
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        yield store
