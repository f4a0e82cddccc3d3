"""Recognises audio files with sherpa-onnx and the model that lies beside this file.

python recognise.py talk.wav ...

It needs the Python packages sherpa-onnx, numpy and soundfile, and nothing of ssl_asr, whose export copies it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sherpa_onnx
import soundfile

TAIL_SECONDS = 0.3  # of zeros behind the audio, so that its last frames are reached


def recogniser(folder: Path, **endpoints: Any) -> Any:
    """sherpa-onnx's recogniser of the model in `folder`; `endpoints` are options of `from_zipformer2_ctc`."""
    settings = json.loads((folder / "sherpa-onnx.json").read_text())
    made = sherpa_onnx.OnlineRecognizer.from_zipformer2_ctc(
        tokens=str(folder / "tokens.txt"),
        model=str(folder / "model.onnx"),
        ctc_graph=str(folder / "HCLG.fst"),
        ctc_max_active=settings["ctc_max_active"],
        sample_rate=settings["sample_rate"],
        feature_dim=settings["feature_dim"],
        num_threads=1,
        **endpoints,
    )
    # from_zipformer2_ctc doesn't take these, so the recogniser is made again.
    for name in ("low_freq", "high_freq", "normalize_samples"):
        setattr(made.config.feat_config, name, settings[name])
    return type(made.recognizer)(made.config)


def words_of(folder: Path) -> list[str]:
    """The words whose numbers are in `.words` of a result."""
    return [line.split()[0] for line in (folder / "words.txt").read_text().splitlines()]


def recognise(made: Any, samples: npt.NDArray[np.float32], rate: int) -> Any:
    """The result for samples in [-1, 1]."""
    stream = made.create_stream()
    stream.accept_waveform(rate, samples)
    stream.accept_waveform(rate, np.zeros(int(TAIL_SECONDS * rate), np.float32))
    stream.input_finished()
    while made.is_ready(stream):
        made.decode_stream(stream)
    return made.get_result(stream)


def main() -> None:
    folder = Path(__file__).parent
    made, words = recogniser(folder), words_of(folder)
    for file in sys.argv[1:]:
        try:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            sys.exit(f"{file}: libsndfile can't read this audio ({error.error_string}); convert it to WAV or FLAC")
        print(*(words[number] for number in recognise(made, samples[:, 0], rate).words))


if __name__ == "__main__":
    main()
