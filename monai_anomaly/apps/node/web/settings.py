# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the pages are served, and who may see them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from monai_anomaly.apps.node.intake.stow.settings import StowSettings
from monai_anomaly.utils.exceptions import ConfigError

__all__ = ["WebSettings", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """The section ``web`` of a node's configuration.

    Args:
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        login: false lets everybody on this machine do everything, without a name; only on a loopback address.
        tokens_file: who may log in, with hashes of their tokens; see :mod:`.people.tokens`.
        proxy_header: header in which a reverse proxy says who logged in there; believed from `trusted_proxies` alone.
        proxy_admins: names, among those that the proxy says, that may do what an admin may.
        trusted_proxies: addresses of reverse proxies.
        certificate: PEM, for TLS without a proxy, with `key`.
        key: its private key, PEM.
        show_patient: whether the page of a case shows the patient's name and number of the stored file.
        score_max_bytes: of a file that ``POST /api/score`` takes.
        score_seconds: after which its scoring is given up.
        stow: limits of DICOMweb's STOW-RS; null takes nothing in by it.

    Raises:
        ConfigError: for a combination that would let strangers in, or nobody.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    login: bool = True
    tokens_file: Path | None = None
    proxy_header: str | None = None
    proxy_admins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    show_patient: bool = False
    score_max_bytes: int = 64 << 20
    score_seconds: float = 60.0
    stow: StowSettings | None = None

    def __post_init__(self) -> None:
        """Refuse what would let strangers in, or nobody."""
        known = self.tokens_file is not None or self.proxy_header is not None
        if self.login and not known:
            raise ConfigError(
                "web: nobody could log in; name a 'tokens_file' ('monai-anomaly serve NODE.yaml --new-token NAME ROLE' "
                "writes one), a 'proxy_header', or, on a loopback address alone, 'login: false'."
            )
        if not self.login and known:
            raise ConfigError("web: 'login: false' and a 'tokens_file' or 'proxy_header' exclude each other.")
        if not self.login and not is_loopback(self.host):
            raise ConfigError(
                f"web: 'login: false' is for a loopback address, not for '{self.host}'; name a 'tokens_file'."
            )
        if (self.proxy_header is None) != (not self.trusted_proxies):
            raise ConfigError("web: 'proxy_header' and 'trusted_proxies' (addresses) are given together, or neither.")
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_address(proxy)
            except ValueError:
                raise ConfigError(f"web: '{proxy}' of 'trusted_proxies' is no IP address.") from None
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("web: 'certificate' and 'key' are given together, or neither.")
        if self.stow is not None and self.login and self.tokens_file is None:
            raise ConfigError("web: senders by 'stow' show a token; name a 'tokens_file'.")
        if self.score_max_bytes < 1 or self.score_seconds <= 0:
            raise ConfigError("web: 'score_max_bytes' and 'score_seconds' must be positive.")
