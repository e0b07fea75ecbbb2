# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""TLS contexts of the DICOM side, as a receiver and as a sender."""

from __future__ import annotations

import ssl
from pathlib import Path

from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["client_context", "server_context"]


def server_context(certificate: Path, key: Path, ca: Path | None = None) -> ssl.SSLContext:
    """Return the context of a receiver.

    Args:
        certificate: the node's certificate and its chain, PEM.
        key: its private key, PEM, without a pass phrase.
        ca: authorities of senders, PEM; with it, a sender without a certificate of theirs is refused.

    Raises:
        ConfigError: a file is missing or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, certificate, key, ca)
    if ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(ca: Path | None = None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    """Return the context of a sender, which always checks the receiver's certificate and its host name.

    Args:
        ca: authorities of receivers, PEM; None takes the system's.
        certificate: the node's own certificate, PEM, for receivers that ask for one.
        key: its private key, PEM, without a pass phrase.

    Raises:
        ConfigError: a file is missing or is not what it should be.
    """
    context = ssl.create_default_context() if ca is None else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, certificate, key, ca)
    return context


def _load(context: ssl.SSLContext, certificate: Path | None, key: Path | None, ca: Path | None) -> None:
    """Load the files, with an error that names them."""
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if certificate is not None:
            context.load_cert_chain(certificate, key, password="")  # an encrypted key must not ask at a terminal
        if ca is not None:
            context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(str(path) for path in (certificate, key, ca) if path is not None)
        raise ConfigError(
            f"tls: one of {names} cannot be read as PEM ({error.strerror or type(error).__name__}); give a "
            "certificate, its key without a pass phrase, and authorities."
        ) from error
