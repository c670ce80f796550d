"""The identity of an encoder: a hash of the files that its outputs depend on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from taskaffinity.errors import input_error
from taskaffinity.regular_file import open_regular, read_regular_text
from taskaffinity.runs.spec import EncoderRef
from taskaffinity.training.encoders.files import read_settings
from taskaffinity.training.encoders.load_errors import as_input_error

WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
_IDENTITY_FILES = (
    "config.json",
    "tokenizer",
    "vocab",
    "merges",
    "special_tokens",
    "added_tokens",
    "spiece",
    "spm",
    "sentencepiece",
)
_CASED = 0.01
"""A vocabulary counts as cased if more than this share of its tokens have a capital letter."""

Signature = tuple[tuple[str, int, int, int], ...]
_hashed: dict[Path, tuple[Signature, str]] = {}
"""Folders that this process has hashed, with names, sizes, times and inodes of their files."""


def fingerprint(folder: Path) -> str:
    """Return the hash of an encoder's configuration, tokenizer and weights.

    Each process hashes a folder once, unless its files change.

    Raises
    ------
    InputError, OSError, ValueError
        If a file cannot be read.
    """
    files = _files(folder)
    status = [(path, path.stat()) for path in files]
    signature = tuple((path.name, of.st_size, of.st_mtime_ns, of.st_ino) for path, of in status)
    if (known := _hashed.get(folder)) is not None and known[0] == signature:
        return known[1]
    digest = hashlib.sha256()
    if is_cased_by_vocabulary(folder):  # earlier versions lower-cased its input, so old runs must not be reused
        digest.update(b"cased")
    for path in files:
        digest.update(path.name.encode())
        with open_regular(path) as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    _hashed[folder] = signature, digest.hexdigest()[:16]
    return _hashed[folder][1]


@contextmanager
def unchanged(folder: Path, expected: EncoderRef) -> Iterator[None]:
    """Check before and after the block, which loads an encoder, that the folder has the expected one.

    A study may take days, and its runs may be on nodes where the same path has other files.

    Raises
    ------
    InputError
        If it has another one.
    """
    _check(folder, expected)
    yield
    _check(folder, expected)


def _check(folder: Path, expected: EncoderRef) -> None:
    with as_input_error(f"{folder}: the encoder's files cannot be read"):
        found = fingerprint(folder)
    if found != expected.fingerprint:
        raise input_error(
            folder,
            f"an encoder with the fingerprint {found}",
            f"{expected.fingerprint}, as at the start of the study; put its files back on every node, or start a "
            "new study of the other encoder with --results OTHER",
        )


def is_cased_by_vocabulary(folder: Path) -> bool:
    """Return whether a folder sets no casing and its ``vocab.txt`` is cased."""
    vocabulary, settings = folder / "vocab.txt", folder / "tokenizer_config.json"
    if not vocabulary.is_file() or (folder / "tokenizer.json").is_file():
        return False
    with as_input_error(f"{folder}: its tokenizer cannot be loaded"):
        if settings.is_file() and "do_lower_case" in read_settings(settings):
            return False
        tokens = read_regular_text(vocabulary).split("\n")
    n_capitalised = sum(token != token.lower() for token in tokens if not token.startswith("["))
    return n_capitalised > _CASED * len(tokens)


def _files(folder: Path) -> list[Path]:
    """Return the files of the identity, sorted."""
    weights = {path.name for pattern in WEIGHT_FILES for path in folder.glob(pattern)}
    if any(name.endswith(".safetensors") for name in weights):  # transformers reads both formats
        weights = {name for name in weights if name.endswith(".safetensors")}
    return [
        path
        for path in sorted(folder.iterdir())
        if path.is_file() and (path.name in weights or path.name.startswith(_IDENTITY_FILES))
    ]
