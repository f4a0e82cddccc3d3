"""The extractor: lengths, pooling, and its file."""

from __future__ import annotations

import pytest
import torch

from ssl_asr.speakers.extractor import ExtractorSpec, SpeakerExtractor, load_extractor, save_extractor


def extractor(pooling: str = "mean") -> SpeakerExtractor:
    torch.manual_seed(0)
    return SpeakerExtractor(ExtractorSpec(6, layers=2, units=8, dimensions=4, pooling=pooling)).eval()


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_padding_changes_nothing(pooling):
    model = extractor(pooling)
    long, short = torch.randn(9, 6), torch.randn(5, 6)
    padded = torch.nn.utils.rnn.pad_sequence([long, short], batch_first=True, padding_value=99.0)
    together = model(padded, torch.tensor([9, 5]))
    alone = torch.cat([model(each[None], torch.tensor([len(each)])) for each in (long, short)])
    assert torch.allclose(together, alone, atol=1e-6)
    assert torch.allclose(together.norm(dim=1), torch.ones(2))


def test_pooling_is_the_mean_or_the_last_output():
    frames, lengths = torch.randn(1, 7, 6), torch.tensor([7])
    for pooling, pool in (("mean", lambda hidden: hidden.mean(1)), ("last", lambda hidden: hidden[:, -1])):
        model = extractor(pooling)
        hidden = model.frames.encode(frames, lengths)[0]
        expected = torch.nn.functional.normalize(model.projection(pool(hidden)), dim=1)
        assert torch.allclose(model(frames, lengths), expected, atol=1e-6)


def test_is_read_back(tmp_path):
    model, uri = extractor("last"), str(tmp_path / "extractor.safetensors")
    model.frames.set_statistics(torch.arange(6.0), torch.full((6,), 2.0))
    save_extractor(uri, model, {"key": "abc"})
    again, about = load_extractor(uri)
    frames, lengths = torch.randn(2, 7, 6), torch.tensor([7, 3])
    assert about == {"key": "abc"}
    assert torch.equal(again(frames, lengths), model(frames, lengths))


def test_another_file_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ValueError, match=r"x\.safetensors is not a whole weights file"):
        load_extractor(str(tmp_path / "x.safetensors"))
