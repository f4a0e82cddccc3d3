"""What keeps a server from starting is one sentence."""

import re
import socket
import subprocess
import sys
from dataclasses import fields

import pytest

from ssl_asr.cli.main import FAILED, REFUSED, main
from ssl_asr.serving.server.limits import Limits
from tests.serving.conftest import Spoken
from tests.serving.server.conftest import serving


def said(capsys, *options: str) -> str:
    assert main(["serve", *options]) == FAILED
    error: str = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    return error


def test_no_bundle(capsys, tmp_path):
    assert "there is no bundle at" in said(capsys, str(tmp_path / "none"), "--port=0")


def test_a_swapped_file(capsys, toy_bundle):
    (toy_bundle / "words.txt").write_text("<eps> 0\n")
    assert "words.txt does not have the" in said(capsys, str(toy_bundle), "--port=0")


def test_a_port_in_use(capsys, toy_bundle):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"port {port} of 127.0.0.1 can't be used (Address already in use)" in said(
            capsys, str(toy_bundle), f"--port={port}"
        )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--idle-seconds=0"], "the limit idle_seconds is 0; give a number above 0"),
        (["--certificate=none.pem", "--port=0"], "none.pem is no usable certificate with its key"),
        (["--token-file=none.txt"], "the token can't be read from none.txt"),
    ],
)
def test_bad_options(capsys, toy_bundle, options, sentence):
    assert sentence in said(capsys, str(toy_bundle), *options)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--workers=0", "0 is not a whole number from 1 to 1024"),
        ("--port=99999", "99999 is not a whole number from 0 to 65535"),
        ("--sherpa-rate=100", "100 is not a whole number from 4000 to 384000"),
        ("--clients=inf", "inf is not a number of 0 or more"),
        ("--no-endpoints", "unrecognized arguments: --no-endpoints"),
    ],
)
def test_values_that_can_not_be(capsys, option, sentence):
    assert main(["serve", "bundle", option]) == REFUSED
    assert sentence in capsys.readouterr().err


def test_help_says_what_holds_where_nothing_is_given(capsys):
    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    told = " ".join(capsys.readouterr().out.split())
    for limit in fields(Limits):
        said = "16 a worker" if limit.name == "clients" else str(limit.default).removesuffix(".0")
        option = "--" + limit.name.replace("_", "-")
        assert re.search(rf"{option} N [^-;]+; ([^-;]+; )?default: {said}( |$)", told), option


def test_an_open_address_without_token_is_told(spoken: Spoken):
    with serving(spoken.folder, "--host=0.0.0.0") as server:
        assert "anybody who reaches 0.0.0.0 may use this server" in server.lines[0]


def test_the_server_starts_neither_torch_nor_ray():
    script = (
        "import sys; import ssl_asr.serving.server.running, ssl_asr.serving.server.worker; "
        "assert not {'torch', 'ray', 'sklearn'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
