"""Uploading an exported model: what is sent, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from taskaffinity.errors import InputError
from taskaffinity.training.export import push as module
from taskaffinity.training.export.push import check_pushable, push


class Hub:
    """A hub that keeps what it is asked, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.failure = failure

    def create_repo(self, *arguments: Any, **given: Any) -> str:
        self.asked.append(("create_repo", arguments, given))
        if self.failure:
            raise self.failure
        return "https://hub.example/me/model"

    def upload_folder(self, *arguments: Any, **given: Any) -> None:
        self.asked.append(("upload_folder", arguments, given))


def test_a_new_repository_is_private_and_gets_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub = Hub()
    monkeypatch.setattr(module, "HfApi", lambda: hub)
    assert push(tmp_path, "me/model") == "https://hub.example/me/model"
    (created, name, options), (uploaded, _, sent) = hub.asked
    assert (created, name, options) == ("create_repo", ("me/model",), {"private": True, "exist_ok": True})
    assert (uploaded, sent["folder_path"], sent["repo_id"]) == ("upload_folder", tmp_path, "me/model")


@pytest.mark.parametrize("failure", [RuntimeError("no\nlogin\x1b[2J"), OSError("refused " * 100)])
def test_a_failure_is_one_line_and_the_folder_stays(
    failure: Exception, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "HfApi", lambda: Hub(failure))
    with pytest.raises(InputError, match=r"^--push-to-hub me/model: (no login.*|refused .*); .* is written$") as told:
        push(tmp_path, "me/model")
    assert len(str(told.value)) < 300 + len(str(tmp_path))
    assert str(told.value).isprintable()


def test_a_model_of_text_under_an_agreement_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "agreements_of", lambda best: ["MedNLI 1.0.0"])
    best: Any = None
    with pytest.raises(InputError, match=r"under a data use agreement .MedNLI 1.0.0.*nothing was uploaded"):
        check_pushable(best, "me/model")
    monkeypatch.setattr(module, "agreements_of", lambda best: [])
    check_pushable(best, "me/model")
    for name in ("model", "a/b/c", "me/mod el", ""):
        with pytest.raises(InputError, match="expected OWNER/NAME"):
            check_pushable(best, name)
