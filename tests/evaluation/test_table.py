"""Tables for a terminal."""

from __future__ import annotations

from ssl_asr.evaluation.table import aligned


def test_names_of_any_script_keep_their_columns() -> None:
    lines = [
        ["set", "condition", "WER %"],
        ["за\u0301мок", "clean", "12.5"],
        ["سوق", "clean", "7.0"],
        ["会議", "", "40.1"],
    ]
    head, rule, accented, arabic, chinese = aligned(lines)
    assert head == "set    condition  WER %"
    assert rule == "-" * len(head)
    assert accented == "за\u0301мок  clean       12.5"  # the accent takes no column
    assert arabic == "سوق\u200e    clean        7.0"  # a mark keeps the figures behind the name
    assert chinese == "会議" + " " * 15 + "40.1"  # two columns a character
