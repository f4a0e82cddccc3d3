"""What an ONNX file holds, before onnxruntime sees it.

onnxruntime would run anything that a stranger's file says: loops, code of extensions, weights from any file of this
machine. So only the kinds of nodes that an export writes are let through, and only files with all weights inside. The
file is read here as what it is, a protobuf message (https://protobuf.dev/programming-guides/encoding), because the
package onnx is not part of a recogniser. Numbers of fields are those of onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_NODES: Final = frozenset(
    (
        *("Add", "And", "Cast", "Compress", "Concat", "Conv", "CumSum", "Div", "DynamicQuantizeLinear", "Gather"),
        *("Gemm", "Greater", "GreaterOrEqual", "LSTM", "LayerNormalization", "LessOrEqual", "LogSoftmax", "MatMul"),
        *("MatMulInteger", "Min", "Mul", "Pad", "Range", "ReduceSum", "Relu", "Reshape", "ScatterND", "Shape"),
        *("Sigmoid", "Slice", "Softmax", "Split", "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze", "Where"),
        "com.microsoft.DynamicQuantizeLSTM",
    )
)
# What may be in a model, a graph, a node, its attributes and a tensor. Not among them: functions, training, graphs
# within graphs, sparse tensors, and tensors in other files.
_MODEL, _MODEL_GRAPH = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14}), 7
_GRAPH, _GRAPH_NODE, _GRAPH_TENSOR = frozenset({1, 2, 5, 10, 11, 12, 13, 14, 16}), 1, 5
_NODE, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = frozenset({1, 2, 3, 4, 5, 6, 7, 9}), 4, 5, 7
_ATTRIBUTE = frozenset({1, 2, 3, 4, 7, 8, 9, 13, 20})
_TENSOR, _TENSOR_PLACE = frozenset({1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 14, 16}), 14
Message = memoryview


def check_onnx(model: bytes) -> None:
    """ValueError if it is not an ONNX file, or holds more than an exported network."""
    for number, value in _fields(memoryview(model), _MODEL, "a model"):
        if number == _MODEL_GRAPH:
            _check_graph(_message(value))


def _check_graph(graph: Message) -> None:
    for number, value in _fields(graph, _GRAPH, "a graph"):
        if number == _GRAPH_NODE:
            _check_node(_message(value))
        elif number == _GRAPH_TENSOR:
            for inner, place in _fields(_message(value), _TENSOR, "a tensor"):
                if inner == _TENSOR_PLACE and place != 0:
                    raise ValueError("it keeps weights in other files")


def _check_node(node: Message) -> None:
    kind = domain = b""
    for number, value in _fields(node, _NODE, "a node"):
        if number == _NODE_KIND:
            kind = bytes(_message(value))
        elif number == _NODE_DOMAIN:
            domain = bytes(_message(value))
        elif number == _NODE_ATTRIBUTE:
            for _ in _fields(_message(value), _ATTRIBUTE, "an attribute"):
                pass
    name = b".".join(filter(None, (domain, kind))).decode(errors="replace")
    if name not in _NODES:
        raise ValueError(f"it has a node of the kind {name[:50]!r}, which no export writes")


def _fields(message: Message, known: frozenset[int], what: str) -> Iterator[tuple[int, int | Message]]:
    """(number, value) of each field of a message; ValueError at one that is not `known`, or where it is cut short."""
    at = 0
    while at < len(message):
        key, at = _integer(message, at)
        number, kind = key >> 3, key & 7
        if number not in known:
            raise ValueError(f"it has the field {number} in {what}, which no export writes")
        if kind == 0:
            value, at = _integer(message, at)
            yield number, value
            continue
        size, at = _integer(message, at) if kind == 2 else ({1: 8, 5: 4}.get(kind, len(message) + 1), at)
        if size > len(message) - at:
            raise ValueError("it is no ONNX file, or is cut short")
        yield number, message[at : at + size]
        at += size


def _integer(message: Message, at: int) -> tuple[int, int]:
    """(value, place behind it): 7 bits a byte, the lowest first; all bytes but the last have the eighth bit."""
    value = 0
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise ValueError("it is no ONNX file, or is cut short")


def _message(value: int | Message) -> Message:
    if isinstance(value, int):
        raise ValueError("it is no ONNX file")
    return value
