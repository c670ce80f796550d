"""Upload an exported model to the hub, as a private repository."""

from __future__ import annotations

import re
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import OfflineModeIsEnabled

from taskaffinity.errors import InputError, printable, shown
from taskaffinity.runs.best_model import BestModel
from taskaffinity.training.export.model_card import agreements_of

_LONGEST = 200
"""Most characters of a reason."""
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def check_pushable(best: BestModel, repository: str) -> None:
    """Refuse a model that may not be uploaded, before anything is written.

    Raises
    ------
    InputError
        If a training corpus is under a data use agreement, or the name is not ``OWNER/NAME``.
    """
    if asked := agreements_of(best):
        raise InputError(
            f"--push-to-hub: the model was trained on text under a data use agreement ({'; '.join(asked)}), and its "
            "weights can reveal that text; nothing was uploaded"
        )
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(f"--push-to-hub: found {shown(repository)}; expected OWNER/NAME")


def push(folder: Path, repository: str) -> str:
    """Upload every file of an exported model; return the address of the repository.

    A new repository is private. The login is that of `hf auth login`, or the variable ``HF_TOKEN``.

    Raises
    ------
    InputError
        If the hub cannot be reached or refuses the upload. The folder stays.
    """
    api = HfApi()
    try:
        address = str(api.create_repo(repository, private=True, exist_ok=True))
        api.upload_folder(folder_path=folder, repo_id=repository, commit_message="taskaffinity export")
    except OfflineModeIsEnabled as error:
        raise InputError(f"--push-to-hub {repository}: HF_HUB_OFFLINE is set; {folder} is written") from error
    except Exception as error:  # the hub's client raises errors of several libraries
        reason = printable(" ".join(str(error).split())[:_LONGEST])
        raise InputError(f"--push-to-hub {repository}: {reason}; {folder} is written") from error
    return address
