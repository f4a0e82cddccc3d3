"""Recognises audio files with sherpa-onnx and the transducer that lies beside this file.

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
_TOLD = ("sample_rate", "feature_dim", "low_freq", "high_freq", "normalize_samples", "decoding_method")


def recogniser(folder: Path, **options: Any) -> Any:
    """sherpa-onnx's recogniser of the model in `folder`; `options` are more of `from_transducer`."""
    settings = json.loads((folder / "sherpa-onnx.json").read_text())
    return sherpa_onnx.OnlineRecognizer.from_transducer(
        tokens=str(folder / "tokens.txt"),
        encoder=str(folder / "encoder.onnx"),
        decoder=str(folder / "decoder.onnx"),
        joiner=str(folder / "joiner.onnx"),
        num_threads=1,
        **{**{name: settings[name] for name in _TOLD}, **options},
    )


def recognise(made: Any, samples: npt.NDArray[np.float32], rate: int) -> Any:
    """The result for samples in [-1, 1]."""
    stream = made.create_stream()
    stream.accept_waveform(rate, samples)
    stream.accept_waveform(rate, np.zeros(int(TAIL_SECONDS * rate), np.float32))
    stream.input_finished()
    while made.is_ready(stream):
        made.decode_stream(stream)
    return made.get_result_all(stream)


def main() -> None:
    made = recogniser(Path(__file__).parent)
    for file in sys.argv[1:]:
        try:
            samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            sys.exit(f"{file}: libsndfile can't read this audio ({error.error_string}); convert it to WAV or FLAC")
        print(recognise(made, samples[:, 0], rate).text.strip())


if __name__ == "__main__":
    main()
