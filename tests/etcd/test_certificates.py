"""Every file that gRPC could not use is refused in words, before gRPC sees it."""

from __future__ import annotations

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from reactive_config._etcd.channel import channel_credentials
from reactive_config._etcd.errors import TLSTrouble
from reactive_config._etcd.settings import TLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pki")
    ca = trustme.CA()
    first, second = ca.issue_cert("client"), ca.issue_cert("other")
    key = load_key(first.private_key_pem.bytes(), None)
    passphrase = BestAvailableEncryption(b"hunter2")
    files = {
        "ca.pem": ca.cert_pem.bytes(),
        "two-cas.pem": b"# Zert\xc3\xa4r\n" + ca.cert_pem.bytes() + trustme.CA().cert_pem.bytes(),
        "app.pem": first.cert_chain_pems[0].bytes(),
        "app.key": first.private_key_pem.bytes(),
        "app.both": first.private_key_and_cert_chain_pem.bytes(),
        "app.pkcs8": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        "other.key": second.private_key_pem.bytes(),
        "locked.key": key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, passphrase),
        "old-locked.key": key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, passphrase),
        "text": b"nothing",
        "broken.pem": b"-----BEGIN CERTIFICATE-----\nZm9v\n-----END CERTIFICATE-----\n",
        "broken.key": b"-----BEGIN PRIVATE KEY-----\nZm9v\n-----END PRIVATE KEY-----\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    "files",
    [
        {"ca": "ca.pem"},
        {"ca": "two-cas.pem"},
        {"cert": "app.pem", "key": "app.key"},
        {"cert": "app.pem", "key": "app.pkcs8"},
        {"cert": "app.both", "key": "app.both"},
    ],
)
def test_good_files_pass(folder, files):
    assert channel_credentials(TLS(**{field: str(folder / name) for field, name in files.items()}))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"ca": "none"}, "the CA file {}/none cannot be read: No such file or directory"),
        ({"ca": ""}, "the CA file {} cannot be read: Is a directory"),
        ({"ca": "text"}, "the CA file {}/text holds no PEM block"),
        ({"ca": "app.pkcs8"}, "the CA file {}/app.pkcs8: expected a PEM block CERTIFICATE, got PRIVATE KEY"),
        ({"ca": "broken.pem"}, "the CA file {}/broken.pem holds a certificate that cannot be read"),
        (
            {"cert": "app.pem", "key": "other.key"},
            "the private key {0}/other.key does not belong to the certificate {0}/app.pem",
        ),
        (
            {"cert": "app.pem", "key": "app.pem"},
            "the private key {}/app.pem: expected a PEM block PRIVATE KEY, got CERTIFICATE",
        ),
        (
            {"cert": "app.pkcs8", "key": "app.key"},
            "the certificate {}/app.pkcs8: expected a PEM block CERTIFICATE, got PRIVATE KEY",
        ),
        (
            {"cert": "app.pem", "key": "locked.key"},
            "the private key {}/locked.key is encrypted: expected one without a passphrase",
        ),
        (
            {"cert": "app.pem", "key": "old-locked.key"},
            "the private key {}/old-locked.key is encrypted: expected one without a passphrase",
        ),
        (
            {"cert": "app.pem", "key": "broken.key"},
            "the certificate {0}/app.pem or the private key {0}/broken.key cannot be read",
        ),
        (
            {"cert": "broken.pem", "key": "app.key"},
            "the certificate {0}/broken.pem or the private key {0}/app.key cannot be read",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(folder, files, message):
    with pytest.raises(TLSTrouble) as trouble:
        channel_credentials(TLS(**{field: str(folder / name) for field, name in files.items()}))
    assert str(trouble.value) == message.format(folder)
    assert trouble.value.__cause__ is None
