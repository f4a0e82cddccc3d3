"""What is read of a transducer's bundle, whoever made it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ssl_asr.lang.word_pieces import WordPieces
from ssl_asr.serving.bundle import open_bundle
from ssl_asr.serving.description import (
    ENCODER,
    JOINER,
    NEEDED_OF_TRANSDUCER,
    PREDICTOR,
    TOKENS,
    WORD_PIECES,
    TransducerDescription,
)
from tests.serving.test_bundle import describe, described, refusal, rewrite
from tests.transducer_bundle import Recorded


@pytest.fixture
def bundle(recorded: Recorded, tmp_path: Path) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(recorded.exported.folder, tmp_path / "bundle"))


def test_a_whole_bundle_is_read(bundle: Path, recorded: Recorded) -> None:
    found = open_bundle(bundle)
    found.verify()
    assert isinstance(found.description, TransducerDescription)
    assert set(found.description.files) == set(NEEDED_OF_TRANSDUCER)
    pieces = WordPieces(found.read(WORD_PIECES))
    assert pieces.pieces == recorded.engine.pieces.pieces
    assert pieces.symbols == recorded.engine.pieces.symbols == {0, 2, 3}


@pytest.mark.parametrize("name", [ENCODER, PREDICTOR, JOINER, TOKENS])
def test_a_damaged_file_is_named(bundle: Path, name: str) -> None:
    data = (bundle / name).read_bytes()
    (bundle / name).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert f"{bundle / name} is damaged or was swapped" in refusal(bundle)


def test_a_file_that_is_not_listed_is_missed(bundle: Path) -> None:
    values = described(bundle)
    del values["files"][JOINER]
    describe(bundle, values)
    assert "it does not list joiner.onnx" in refusal(bundle)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("frontend", "mel_bins"), 40, "the prior has 64 bins, the front end 40"),
        (("frontend", "high_hz"), 7600, "describes no usable front end"),
        (("network", "inputs"), 191, "the network has 191 inputs, the front end makes 192"),
        (("network", "joiner"), 9, "encoder.onnx does not give 9 outputs of 192 inputs"),
        (("network", "look_ahead"), 10**9, "network.look_ahead"),
        (("outputs",), 201, "tokens.txt has 200 word pieces, the joiner 201 outputs|are no networks of this bundle"),
        (("outputs",), 1, "outputs: Input should be greater than 2"),
        (("symbols",), [2], "are not blank, 0, and others of its outputs"),
        (("symbols",), [0, 200], "are not blank, 0, and others of its outputs"),
        (("search", "beam"), 10**6, "search.beam"),
        (("search", "max_symbols"), 0, "search.max_symbols"),
        (("senone_set",), "0123456789ab", "senone_set: Extra inputs are not permitted"),
        (("files", "../../etc/passwd"), {"bytes": 1, "sha256": "0" * 64}, "String should match pattern"),
    ],
)
def test_values_are_checked(bundle: Path, path: tuple[str, ...], value: Any, said: str) -> None:
    values = described(bundle)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    describe(bundle, values)
    sentence = refusal(bundle)
    assert any(each in sentence for each in said.split("|")), sentence


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        (ENCODER, b"", "encoder.onnx is no network of a bundle"),
        (PREDICTOR, b"\x80\x04\x95no pickle is ever loaded", "predictor.onnx is no network of a bundle"),
        (TOKENS, b"<blk> 0\n", "has 1 word pieces, the joiner 200 outputs"),
        (TOKENS, b"a 0\n", "line 1: 'a 0' is not a word"),
        (TOKENS, b"<blk> 0\n\x1b[2Ja 1\n", r"line 2: '\x1b[2Ja 1' is not a word"),
        (TOKENS, b"\xff 0\n", "is no UTF-8 text"),
    ],
)
def test_well_signed_nonsense_is_refused(bundle: Path, name: str, data: bytes, said: str) -> None:
    rewrite(bundle, name, data)
    assert said in refusal(bundle)


def test_networks_in_the_place_of_others_are_refused(bundle: Path) -> None:
    networks = {name: (bundle / name).read_bytes() for name in (ENCODER, PREDICTOR, JOINER)}
    for name, other in ((ENCODER, JOINER), (PREDICTOR, ENCODER), (JOINER, PREDICTOR)):
        rewrite(bundle, name, networks[other])
        assert "export the bundle again" in refusal(bundle)
        rewrite(bundle, name, networks[name])
