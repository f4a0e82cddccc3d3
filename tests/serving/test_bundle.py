"""What is read of a bundle, whoever made it; each refusal is one sentence that names the file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from ssl_asr.cli.main import main
from ssl_asr.lang.language import AMERICAN_ENGLISH
from ssl_asr.lang.phones import ENGLISH
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.description import NEEDED, PHONES, QUANTISED
from ssl_asr.serving.engine import Engine


def described(bundle: Path) -> dict[str, Any]:
    return json.loads((bundle / "bundle.json").read_text())


def describe(bundle: Path, values: dict[str, Any]) -> None:
    (bundle / "bundle.json").write_text(json.dumps(values))


def rewrite(bundle: Path, name: str, data: bytes) -> None:
    """As a stranger would: with the right size and checksum."""
    (bundle / name).write_bytes(data)
    values = described(bundle)
    values["files"][name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    describe(bundle, values)


def refusal(bundle: Path) -> str:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        Engine.open(bundle)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


def test_a_whole_bundle_is_read(toy_bundle):
    bundle = open_bundle(toy_bundle)
    bundle.verify()
    assert set(bundle.description.files) == {*NEEDED, PHONES}
    assert "kind" not in described(toy_bundle)  # as in bundles of before
    assert Engine.open(toy_bundle).sample_rate == 8000
    assert Engine.open(toy_bundle, quantised=True).sample_rate == 8000


@pytest.mark.parametrize("name", [each for each in NEEDED if each != QUANTISED])
def test_every_damaged_file_is_named(toy_bundle, name):
    data = (toy_bundle / name).read_bytes()
    (toy_bundle / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ValueError, match="is damaged or was swapped") as refused:
        open_bundle(toy_bundle).verify()
    assert str(toy_bundle / name) in str(refused.value)


def test_a_file_of_another_size_or_none_is_named(toy_bundle):
    (toy_bundle / "words.txt").write_bytes(b"<eps> 0\n")
    assert "words.txt does not have the" in refusal(toy_bundle)
    (toy_bundle / "words.txt").unlink()
    assert "words.txt can't be read (No such file" in refusal(toy_bundle)
    (toy_bundle / "words.txt").mkdir()
    assert "words.txt is missing or not a file" in refusal(toy_bundle)


def test_no_bundle_at_all(tmp_path):
    assert "there is no bundle at" in refusal(tmp_path / "nowhere")
    assert "is no bundle, bundle.json is missing" in refusal(tmp_path)
    audio = tmp_path / "talk.wav"
    audio.write_bytes(b"RIFF")
    assert refusal(audio).startswith(f"{audio} is a file and no bundle; name the folder")


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"format"', "\xff", "[" * 100_000])
def test_a_description_that_is_none(toy_bundle, text):
    (toy_bundle / "bundle.json").write_text(text, encoding="latin-1")
    assert "bundle.json" in refusal(toy_bundle)


def test_a_kind_of_recogniser_that_is_not_known(toy_bundle):
    describe(toy_bundle, described(toy_bundle) | {"kind": "oracle"})
    assert "bundle.json describes an unknown kind of recogniser, 'oracle'" in refusal(toy_bundle)


def test_a_bundle_of_another_format(toy_bundle):
    describe(toy_bundle, described(toy_bundle) | {"format": 2})
    assert "is of format 2, this version reads format 1" in refusal(toy_bundle)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("frontend", "mel_bins"), 40, "the prior has 64 bins, the front end 40"),
        (("frontend", "sample_rate"), 0, "frontend.sample_rate: Input should be greater than 0"),
        (("prior", "mean"), [float("nan")] * 64, "prior.mean.0"),
        (("prior", "level"), "loud", "prior.level"),
        (("prior", "level"), 1e300, "prior.level"),
        (("frontend", "high_hz"), 7600, "describes no usable front end"),
        (("frontend", "sample_rate"), 2**31, "64 bins of audio at 2147483648 Hz are not useful"),
        (("network", "look_ahead"), 10**9, "network.look_ahead"),
        (("search", "lattice_beam"), 1e30, "search.lattice_beam"),
        (("search", "max_active"), 10**12, "search.max_active"),
        (("files", "HCLG.fst"), {"bytes": 10**15, "sha256": "0" * 64}, "files.HCLG.fst.bytes"),
        (("network", "inputs"), 191, "the network has 191 inputs, the front end makes 192"),
        (("network", "senones"), 41, "export the bundle again"),
        (("scoring", "acoustic_scale"), 0, "scoring.acoustic_scale"),
        (("search", "beam"), -1, "search.beam"),
        (("senone_set",), "0123456789ab", "is of another senone set than the model"),
        (("surprise",), 1, "surprise: Extra inputs are not permitted"),
        (("files", "../../etc/passwd"), {"bytes": 1, "sha256": "0" * 64}, "String should match pattern"),
        (("files", "/etc/passwd"), {"bytes": 1, "sha256": "0" * 64}, "String should match pattern"),
        (("files", "HCLG.fst"), None, "files.HCLG.fst"),
    ],
)
def test_values_are_checked(toy_bundle, path, value, said):
    values = described(toy_bundle)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    describe(toy_bundle, values)
    assert said in refusal(toy_bundle)


def test_a_refusal_does_not_control_the_terminal(toy_bundle, capsys):
    describe(toy_bundle, described(toy_bundle) | {"\x1b[2J\x9b2J": 1})
    assert main(["transcribe", str(toy_bundle), "talk.wav"]) != 0
    assert r"\x1b[2J\x9b2J" in capsys.readouterr().err


def test_a_file_that_is_not_listed_is_missed(toy_bundle):
    values = described(toy_bundle)
    del values["files"]["words.txt"]
    describe(toy_bundle, values)
    assert "it does not list words.txt" in refusal(toy_bundle)


def test_a_bundle_of_before_has_the_phones_of_cmudict(toy_bundle):
    values = described(toy_bundle)
    del values["files"][PHONES]
    describe(toy_bundle, values)
    (toy_bundle / PHONES).unlink()
    engine = Engine.open(toy_bundle)
    assert engine.lexicon.phones == ENGLISH
    assert engine.language == AMERICAN_ENGLISH


def test_links_may_not_leave_the_directory(toy_bundle, tmp_path):
    os.rename(toy_bundle / "words.txt", tmp_path / "words.txt")
    (toy_bundle / "words.txt").symlink_to(tmp_path / "words.txt")
    assert "is a link that leads out of the bundle" in refusal(toy_bundle)


def test_a_pipe_does_not_hang(toy_bundle):
    (toy_bundle / "words.txt").unlink()
    os.mkfifo(toy_bundle / "words.txt")
    assert "words.txt is missing or not a file" in refusal(toy_bundle)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("model.onnx", b"", "is no network of a bundle"),
        ("model.onnx", b"\x80\x04\x95no pickle is ever loaded", "is no network of a bundle"),
        ("HCLG.fst", b"", "it is not a const FST"),
        ("words.txt", b"<eps> 0\na 2\n", "line 2: 'a 2' is not a word and the number 1"),
        ("words.txt", b"a 0\n", "line 1"),
        ("words.txt", b"<eps> 0\n\x1b[2Ja 1\n", r"line 2: '\x1b[2Ja 1' is not a word"),
        ("words.txt", b"\xff 0\n", "is no UTF-8 text"),
        ("lexicon.txt", b"a AH\n", "lacks the word 'cat'"),
        ("lexicon.txt", b"a XX\n", "is not a word followed by phones"),
        (
            "phones.txt",
            b"SIL a a\n",
            "the phone a is there twice; phones have different names; export the bundle again",
        ),
        ("phones.txt", b"SIL a b\n", "is not a table of"),
        ("senones.safetensors", b"", "is no senone table"),
        ("senones.safetensors", save({"table": np.zeros((2, 2, 2), np.uint16)}), "is no senone table"),
    ],
)
def test_well_signed_nonsense_is_refused(toy_bundle, name, data, said):
    rewrite(toy_bundle, name, data)
    assert said in refusal(toy_bundle)


def test_a_network_of_another_shape_is_refused(toy_bundle):
    rewrite(toy_bundle, "model.onnx", (toy_bundle / "model.int8.onnx").read_bytes()[:1000])
    assert "is no network of a bundle" in refusal(toy_bundle)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors: tensors | {"log_priors": tensors["log_priors"][:-1]},
        lambda tensors: tensors | {"log_priors": tensors["log_priors"] * np.float32(np.nan)},
        lambda tensors: tensors | {"log_priors": tensors["log_priors"].astype(np.float64)},
        lambda tensors: tensors | {"table": tensors["table"] + np.uint16(7)},
        lambda tensors: tensors | {"table": np.roll(tensors["table"], 1, axis=1)},
    ],
)
def test_another_senone_table_is_refused(toy_bundle, damage):
    tensors = load((toy_bundle / "senones.safetensors").read_bytes())
    rewrite(toy_bundle, "senones.safetensors", save(damage(tensors)))
    assert "senones.safetensors" in refusal(toy_bundle)
