"""Check the files of an encoder's folder before transformers reads them.

A downloaded folder may name Python code that transformers would run, have a pipe instead of a file, or describe a model
that fits no machine. Each of these is an ``InputError``.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field
from transformers import PretrainedConfig

from taskaffinity.errors import InputError, shown
from taskaffinity.regular_file import read_regular_text
from taskaffinity.runs.stored.json_files import parse_model

NO_CODE = {"trust_remote_code": False, "local_files_only": True}
"""Arguments of every ``from_pretrained``: no code of the folder runs, and nothing is downloaded."""

_MIB = 2**20
_SETTINGS = ("config.json", "tokenizer_config.json")
_OTHER_CODE = ("auto_map", "custom_pipelines")
"""Keys of a settings file that name Python code of the folder or of the model hub."""
_IMPLEMENTATIONS = ("attn_implementation", "_attn_implementation", "experts_implementation")
"""Keys of a settings file that name an implementation. The name ``owner/kernel`` is code of the model hub."""
_LARGEST_FILES = {".json": 256 * _MIB, ".txt": 256 * _MIB, ".model": 256 * _MIB}
_LARGEST_SETTINGS = 16 * _MIB
_LARGEST = {
    "num_hidden_layers": 1_000,
    "num_attention_heads": 1_000,
    "hidden_size": 100_000,
    "intermediate_size": 1_000_000,
    "max_position_embeddings": 10_000_000,
    "type_vocab_size": 1_000_000,
    "vocab_size": 10_000_000,
}
_MOST_PARAMETERS = 20_000_000_000


def check_encoder_files(folder: Path) -> None:
    """Check that all files of an encoder's folder are regular, not too large, and name no code.

    Raises
    ------
    InputError
    """
    for path in sorted(folder.iterdir()):
        if path.suffix not in {*_LARGEST_FILES, ".safetensors", ".bin", ".spm"} or path.is_dir():
            continue
        if not path.is_file():
            raise InputError(f"{path}: no regular file (a link to nothing, a pipe or a device); expected a copy of it")
        largest = _LARGEST_SETTINGS if path.name in _SETTINGS else _LARGEST_FILES.get(path.suffix, math.inf)
        if (size := path.stat().st_size) > largest:
            raise InputError(
                f"{path}: {size / _MIB:,.0f} MiB; expected at most {largest / _MIB:,.0f} MiB for a file of an encoder"
            )
        if path.name == "adapter_config.json":
            raise InputError(f"{path}: an adapter of another model; merge it into its encoder and give that folder")
        if path.name in _SETTINGS:
            _check_settings(path)
        elif path.name.endswith(".index.json"):
            _check_index(path)


def check_size(config: PretrainedConfig, folder: Path) -> None:
    """Check that a configuration does not describe a model larger than any encoder.

    Raises
    ------
    InputError
    """
    sizes: dict[str, Any] = {name: getattr(config, name, None) for name in _LARGEST}
    for name, size in sizes.items():
        if size is not None and (not isinstance(size, int) or size > _LARGEST[name]):
            raise InputError(
                f"{folder / 'config.json'}: {name} is {shown(size)}; expected a whole number up to {_LARGEST[name]:,}"
            )
    width, deep = sizes["hidden_size"] or 0, sizes["num_hidden_layers"] or 0
    rows = sum(sizes[name] or 0 for name in ("vocab_size", "max_position_embeddings", "type_vocab_size"))
    parameters = width * rows + deep * width * (4 * width + 2 * (sizes["intermediate_size"] or 0))
    if parameters > _MOST_PARAMETERS:
        raise InputError(
            f"{folder / 'config.json'}: {parameters:,.2g} parameters; expected at most {_MOST_PARAMETERS:,.2g}"
        )


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings in ``config.json`` or ``tokenizer_config.json``.

    The settings of ``_Settings`` are checked here, all others by transformers.

    Raises
    ------
    InputError
        If the file is no JSON object, or one of the checked settings has another type: one line with what was found.
    """
    is_config = path.name == "config.json"
    where = f"{path}: not the configuration of an encoder" if is_config else f"{path}: its tokenizer cannot be loaded"
    content = _parsed(path, _Settings, where)
    settings: dict[str, Any] = json.loads(content)
    return settings


@dataclass(frozen=True)
class _Settings:
    """The settings that this package reads itself."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    model_type: Annotated[str, Field(pattern=r"^[\w.-]{1,100}$")] | None = None
    from_scratch: bool | None = None
    do_lower_case: bool | None = None
    auto_map: dict[str, Any] | list[Any] | str | None = None
    configuration_files: list[Any] | None = None


@dataclass(frozen=True)
class _Index:
    """A list of weight files."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(strict=True, extra="ignore")

    weight_map: dict[str, str]


def _parsed(path: Path, model: Any, where: str) -> str:
    """Return the text of a JSON file that fits a model; otherwise ``where`` begins the message."""
    fault = ""
    try:
        content = read_regular_text(path)
        parse_model(content, model)
    except InputError:
        raise
    except UnicodeDecodeError:
        fault = "not UTF-8"
    except ValueError as error:
        fault = str(error)
    except OSError as error:
        fault = f"cannot be read: {error.strerror}"
    if fault:
        raise InputError(f"{where} ({fault}); copy the folder again, or save it with transformers")
    return content


def _check_settings(path: Path) -> None:
    content = read_settings(path)
    keys = [key for key in _OTHER_CODE if content.get(key)]
    keys += [key for key in _IMPLEMENTATIONS if not str(content.get(key) or "default").isidentifier()]
    if keys:
        raise InputError(
            f"{path}: names its own code ({keys[0]}), which is never run; give an encoder whose architecture "
            "transformers has"
        )
    if content.get("configuration_files"):
        raise InputError(f"{path}: refers to other configurations (configuration_files); give a folder with one")


def _check_index(path: Path) -> None:
    """Raise if a list of weight files names a file outside the folder.

    The content of such a file would not be part of a run's identity.
    """
    index: dict[str, dict[str, str]] = json.loads(_parsed(path, _Index, f"{path}: no list of weight files"))
    names = set(index["weight_map"].values())
    if any(Path(name).name != name or not name.endswith((".safetensors", ".bin")) for name in names):
        raise InputError(f"{path}: names a weight file outside its folder; expected files of this folder")
