"""Health, figures and TLS."""

import asyncio
import datetime
import ipaddress
import json
import ssl
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.serving.server.conftest import RATE, engine_finals, serving, vosk_words


def figures(server) -> dict[tuple[str, ...], float]:
    """By name and labels."""
    text = urllib.request.urlopen(server.url("/metrics")).read().decode()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_figures_tell_what_happened(spoken, clips):
    with serving(spoken.folder) as server:
        before = figures(server)
        assert before["ssl_asr_workers", "sessions"] == 1
        with server.client() as client:
            client.send(b"")
            client.recv(20)
            assert figures(server)["ssl_asr_sessions", "vosk"] == 1
            assert json.loads(urllib.request.urlopen(server.url("/healthz")).read()) == {
                "status": "ok",
                "clients": 1,
                "uploads": 0,
            }
            vosk_words(client, clips[0])
        with server.client() as client:
            client.send("nonsense")
            client.recv(20)
            with pytest.raises(ConnectionClosed):
                client.recv(20)
        after = figures(server)
        assert after["ssl_asr_sessions", "vosk"] == 0
        assert after["ssl_asr_sessions_begun_total", "vosk"] == 2
        assert after["ssl_asr_refusals_total", "data"] == 1
        assert after["ssl_asr_audio_seconds_total",] == pytest.approx(len(clips[0]) / RATE)
        assert after["ssl_asr_finals_total",] == len(engine_finals(spoken, clips[0]))
        assert after["ssl_asr_reply_seconds_count",] > 3
        assert after["ssl_asr_busy_seconds_total",] > 0


def test_the_page_takes_nothing_from_elsewhere(server):
    answer = urllib.request.urlopen(server.url("/"))
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    text = answer.read().decode()
    assert "http" not in text.replace("http-equiv", "")


def test_tls(spoken, clips, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "own.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    kept = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "own.key").write_bytes(key.private_bytes(*kept))
    files = (f"--certificate={tmp_path}/own.pem", f"--key={tmp_path}/own.key")
    with serving(spoken.folder, *files) as server:
        trusts = ssl.create_default_context(cafile=str(tmp_path / "own.pem"))
        expected = [word.word for final in engine_finals(spoken, clips[0]) for word in final.words]
        address = f"wss://127.0.0.1:{server.port}"
        assert asyncio.run(words_over_tls(address, trusts, clips[0].tobytes())) == expected


async def words_over_tls(address: str, trusts: ssl.SSLContext, audio: bytes) -> list[str]:
    """By one thread: before Python 3.13 a TLS connection that two threads read and write may lose what is written."""
    async with connect(address, ssl=trusts, open_timeout=60) as client:
        await client.send(json.dumps({"config": {"sample_rate": RATE}}))
        await client.send(audio)
        words = json.loads(await client.recv()).get("text", "").split()
        await client.send('{"eof" : 1}')
        return words + json.loads(await client.recv())["text"].split()
