"""Certificate and key files, checked before gRPC sees them.

gRPC takes whatever it is given, and a connection with it then fails without a reason that a program could read.
"""

from __future__ import annotations

import re
import ssl

from reactive_config.etcd.errors import TLSTrouble
from reactive_config.etcd.rpc import grpc
from reactive_config.etcd.settings import TLS

_BLOCK = re.compile(rb"^-----BEGIN ([A-Z0-9 ]+)-----", re.MULTILINE)


def channel_credentials(tls: TLS) -> grpc.ChannelCredentials:
    """What gRPC needs for a TLS connection. Reads files, so it belongs into a thread.

    Raises:
        TLSTrouble: A file cannot be read or used, or the key is not the certificate's. Names the file and what is
            wrong with it, never anything of its content.
    """
    ca, cert, key = _read(tls.ca, "CA file"), _read(tls.cert, "certificate"), _read(tls.key, "private key")
    if ca is not None:
        _check_ca(tls.ca, ca)
    if cert is not None and key is not None:
        _check_pair(tls, cert, key)
    return grpc.ssl_channel_credentials(ca, key, cert)


def _read(path: str, what: str) -> bytes | None:
    if not path:
        return None
    from pathlib import Path  # only TLS needs it, and it costs a start 5 ms

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise TLSTrouble(f"the {what} {path} cannot be read: {error.strerror}") from None


def _check_block(path: str, what: str, pem: bytes, label: str) -> None:
    labels = [found.decode() for found in _BLOCK.findall(pem)]
    if not labels:
        raise TLSTrouble(f"the {what} {path} holds no PEM block")
    if not any(found.endswith(label) for found in labels):
        raise TLSTrouble(f"the {what} {path}: expected a PEM block {label}, got {', '.join(sorted(set(labels)))}")


def _check_ca(path: str, pem: bytes) -> None:
    _check_block(path, "CA file", pem, "CERTIFICATE")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise TLSTrouble(f"the CA file {path} holds a certificate that cannot be read") from None


def _check_pair(tls: TLS, cert: bytes, key: bytes) -> None:
    _check_block(tls.cert, "certificate", cert, "CERTIFICATE")
    _check_block(tls.key, "private key", key, "PRIVATE KEY")
    if b"ENCRYPTED" in key:
        raise TLSTrouble(f"the private key {tls.key} is encrypted: expected one without a passphrase")
    try:
        # With a password of its own: OpenSSL would ask for one at the terminal.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(tls.cert, tls.key, password=b"")
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "MISMATCH" in reason:
            raise TLSTrouble(f"the private key {tls.key} does not belong to the certificate {tls.cert}") from None
        if "TOO_" not in reason:  # too small or too weak for this Python's OpenSSL may be enough for the server
            raise TLSTrouble(f"the certificate {tls.cert} or the private key {tls.key} cannot be read") from None
    except OSError as error:
        raise TLSTrouble(f"the certificate {tls.cert} cannot be read: {error.strerror}") from None
