"""The state that sherpa-onnx carries for a network that it takes for a zipformer: which tensors, and of which shapes.

It computes the shapes from the metadata (`online-zipformer2-ctc-model.cc`, `online-zipformer2-transducer-model.cc`).
A zipformer of one layer has room for h and c of any number of LSTM layers of one size, and for the front end's sums.
"""

from __future__ import annotations

from typing import Any

from ssl_asr.serving.exporting.sherpa.front_end import BEFORE, HIGH, LOW

UNUSED = ("unused_0", "unused_1", "unused_2")  # state that a zipformer has and an LSTM has not
_CHANNELS = (128, 3)  # of a zipformer's convolutions


def state_shapes(
    hidden: str, cell: str, *, layers: int, units: int, carried: int, embedding: int
) -> dict[str, tuple[int | str, ...]]:
    """In the zipformer's order; `carried` is the number of sums, `embedding` a width that sherpa-onnx computes."""
    return {
        hidden: (layers, "streams", units),
        UNUSED[0]: (1, "streams", layers, 3 * carried // 4),
        cell: (layers, "streams", units),
        UNUSED[1]: (layers, "streams", units),
        HIGH: ("streams", carried, 1),
        LOW: ("streams", carried, 1),
        UNUSED[2]: ("streams", *_CHANNELS, embedding),
        BEFORE: ("streams",),
    }


def zipformer_metadata(*, layers: int, units: int, carried: int, frames: int) -> dict[str, str]:
    """From which sherpa-onnx computes those shapes; it gives the network `frames` of 10 ms at a time."""
    values: dict[str, Any] = {
        "encoder_dims": carried,
        "query_head_dims": units,
        "value_head_dims": units,
        "num_heads": 1,
        "num_encoder_layers": 1,
        "cnn_module_kernels": 2,
        "left_context_len": layers,
        "T": frames,
        "decode_chunk_len": frames,
    }
    return {"model_type": "zipformer2", "version": "1", **{name: str(value) for name, value in values.items()}}
