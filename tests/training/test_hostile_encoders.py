"""An encoder's folder from elsewhere: its code never runs, and whatever it holds ends in one line."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertModel, BertTokenizer

import taskaffinity
from taskaffinity.errors import InputError
from taskaffinity.training.encoders.checks import longest_input
from taskaffinity.training.encoders.files import check_encoder_files
from taskaffinity.training.encoders.load import find_encoder, load_config, load_encoder, load_tokenizer
from taskaffinity.training.export.predictor import ABOUT, Predictor
from taskaffinity.training.pretraining.folder import load_with_language_head

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "dose", "##s", "rose"]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ordinary BERT of one layer."""
    folder = tmp_path_factory.mktemp("sound")
    config = BertConfig(
        vocab_size=len(TOKENS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer({token: i for i, token in enumerate(TOKENS)}).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "encoder"))


def set_keys(path: Path, **keys: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def use(folder: Path) -> None:
    """Everything that commands read of an encoder."""
    found = find_encoder(str(folder)).folder
    longest_input(found)
    load_tokenizer(found)
    load_encoder(found)


READERS: dict[str, Callable[[Path], object]] = {
    "find": lambda folder: find_encoder(str(folder)),
    "configuration": load_config,
    "tokenizer": load_tokenizer,
    "model": load_encoder,
    "language head": load_with_language_head,
    "predict": Predictor,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("name", "auto_map"),
    [
        ("config.json", {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}),
        ("config.json", {"AutoConfig": "someone/elses--evil.Config"}),
        ("tokenizer_config.json", {"AutoTokenizer": ["evil.Tokenizer", None]}),
    ],
    ids=["config", "of the hub", "tokenizer"],
)
@pytest.mark.parametrize("known", [True, False])
def test_code_of_a_folder_never_runs(
    known: bool,
    name: str,
    auto_map: dict[str, Any],
    reader: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(_: object = "") -> str:
        raise AssertionError("the user was asked")

    monkeypatch.setattr("builtins.input", answer)
    mark = tmp_path / "it ran"
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    (folder / ABOUT).write_text('{"task": {}}')
    set_keys(folder / name, auto_map=auto_map)
    if not known:
        set_keys(folder / "config.json", model_type="evil")
    with pytest.raises(InputError, match=rf"{name}: names its own code \(auto_map\), which is never run") as caught:
        READERS[reader](folder)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_no_call_of_the_package_lets_transformers_run_code() -> None:
    """Every loader of transformers in the package says so, not only those that a test calls."""
    loaders = 0
    for path in Path(taskaffinity.__file__).parent.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            owner = ast.unparse(call.func.value)
            if call.func.attr in ("from_pretrained", "from_config") and owner != "nn.Embedding":
                words = {word.arg or ast.unparse(word.value): ast.unparse(word.value) for word in call.keywords}
                assert words.get("trust_remote_code") == "False" or "NO_CODE" in words, f"{path}: {ast.unparse(call)}"
                loaders += 1
            assert (owner, call.func.attr) not in {("pickle", "load"), ("torch", "load")}, path
    assert loaders >= 9


class Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return (open, (str(self.mark), "w"))


@pytest.mark.parametrize("saved", ["torch", "pickle"])
def test_pickled_weights_run_nothing(saved: str, folder: Path, tmp_path: Path) -> None:
    mark = tmp_path / "it ran"
    weights = {**BertModel(load_config(folder)).state_dict(), "evil": Evil(mark)}
    (folder / "model.safetensors").unlink()
    with open(folder / "pytorch_model.bin", "wb") as file:
        torch.save(weights, file) if saved == "torch" else pickle.dump(weights, file)
    for load in (load_encoder, load_with_language_head):
        with pytest.raises(InputError) as caught:
            load(folder)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


def test_plain_pickled_weights_are_read(folder: Path) -> None:
    weights = BertModel(load_config(folder)).state_dict()
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    loaded = load_encoder(find_encoder(str(folder)).folder)[0].state_dict()
    assert all(torch.equal(weights[name], value) for name, value in loaded.items())


def linked(path: Path, target: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def piped(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def sparse(path: Path, size: int) -> None:
    with open(path, "ab") as file:
        file.truncate(size)


INDEX = '{"metadata": {}, "weight_map": {"a": "%s"}}'
ODD: dict[str, Callable[[Path], object]] = {
    "a link to nothing": lambda f: linked(f / "tokenizer_config.json", f / "nothing"),
    "a link to itself": lambda f: linked(f / "vocab.txt", f / "vocab.txt"),
    "a link to a device": lambda f: linked(f / "tokenizer.json", Path("/dev/zero")),
    "weights in a pipe": lambda f: piped(f / "model.safetensors"),
    "a pipe": lambda f: piped(f / "special_tokens_map.json"),
    "a configuration of 17 MiB": lambda f: sparse(f / "config.json", 17 << 20),
    "a tokenizer of 1 GiB": lambda f: sparse(f / "tokenizer.json", 1 << 30),
    "deep": lambda f: (f / "config.json").write_text("[" * 100_000 + "]" * 100_000),
    "a deep tokenizer": lambda f: (f / "tokenizer.json").write_text("[" * 100_000 + "]" * 100_000),
    "a list": lambda f: (f / "config.json").write_text("[1]"),
    "a number of 9,999 digits": lambda f: (f / "config.json").write_text('{"vocab_size": ' + "9" * 9999 + "}"),
    "not UTF-8": lambda f: (f / "config.json").write_bytes(b'{"\xff": 1}'),
    "a billion layers": lambda f: set_keys(f / "config.json", num_hidden_layers=10**9),
    "a billion tokens": lambda f: set_keys(f / "config.json", vocab_size=10**9, from_scratch=True),
    "a large product": lambda f: set_keys(f / "config.json", vocab_size=10**6, hidden_size=10**5),
    "a width of NaN": lambda f: set_keys(f / "config.json", hidden_size=float("nan")),
    "no width": lambda f: set_keys(f / "config.json", hidden_size=0),
    "a negative width": lambda f: set_keys(f / "config.json", hidden_size=-16),
    "model_type is a list": lambda f: set_keys(f / "config.json", model_type=["bert"]),
    "model_type is a path": lambda f: set_keys(f / "config.json", model_type="../../evil"),
    "attention of the hub": lambda f: set_keys(f / "config.json", attn_implementation="someone/kernels"),
    "another configuration": lambda f: set_keys(f / "config.json", configuration_files=["config.4.0.json"]),
    "an adapter": lambda f: (f / "adapter_config.json").write_text('{"base_model_name_or_path": "/other"}'),
    "shards elsewhere": lambda f: (f / "model.safetensors.index.json").write_text(INDEX % "../../other.safetensors"),
    "shards of another kind": lambda f: (f / "pytorch_model.bin.index.json").write_text(INDEX % "x.pkl"),
    "an index of nothing": lambda f: (f / "model.safetensors.index.json").write_text("{}"),
    "tokenizer is empty": lambda f: (f / "tokenizer.json").write_text("{}"),
    "tokenizer is odd": lambda f: set_keys(f / "tokenizer.json", model={"type": "WordPiece", "vocab": {"a": -1}}),
    "settings of another type": lambda f: set_keys(f / "tokenizer_config.json", mask_token=[1], pad_token={"a": 1}),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_folder_is_refused_in_one_line(odd: str, folder: Path) -> None:
    use(folder)
    ODD[odd](folder)
    with pytest.raises(InputError) as caught:
        use(folder)
    line = str(caught.value)
    assert str(folder) in line
    assert "\n" not in line
    assert len(line) < 400


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("config.json", b"{", "not the configuration of an encoder (line 1: not JSON)"),
        ("config.json", b"\xff", "not the configuration of an encoder (not UTF-8)"),
        ("config.json", b"[1]", "not the configuration of an encoder (found a list of 1; expected an object)"),
        ("config.json", b'{"model_type": 3}', "(model_type is 3; expected a valid string)"),
        ("config.json", b'{"model_type": "../x"}', "(model_type is '../x'; expected"),
        ("tokenizer_config.json", b'{"do_lower_case": "no"}', "(do_lower_case is 'no'; expected a valid boolean)"),
        ("model.safetensors.index.json", b"{}", "no list of weight files (no weight_map in it)"),
        ("model.safetensors.index.json", b'{"weight_map": {"a": 1}}', "(weight_map.a is 1; expected a valid string)"),
    ],
)
def test_a_fault_of_a_file_says_what_was_found(name: str, content: bytes, found: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        check_encoder_files(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert found in str(caught.value)
    assert str(caught.value).endswith("; copy the folder again, or save it with transformers")


def test_a_folder_of_the_hub_is_made_of_links(folder: Path, tmp_path: Path) -> None:
    """The hub's client stores blobs once and links to them."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for path in folder.iterdir():
        linked(snapshot / path.name, path)
    use(snapshot)
    assert find_encoder(str(snapshot)).ref.fingerprint == find_encoder(str(folder)).ref.fingerprint


def test_other_files_and_folders_are_left_alone(folder: Path) -> None:
    (folder / "onnx.json").mkdir()
    piped(folder / "notes.md")
    set_keys(folder / "config.json", auto_map={}, custom_pipelines=None, attn_implementation="sdpa")
    check_encoder_files(folder)
    use(folder)
