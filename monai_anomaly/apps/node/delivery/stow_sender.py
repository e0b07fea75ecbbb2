# SPDX-FileCopyrightText: 2026 monai_anomaly contributors
# SPDX-License-Identifier: Apache-2.0

"""Sends objects by DICOMweb's STOW-RS, one to a request, so that each has an answer of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from requests import HTTPError, JSONDecodeError, RequestException, Response, Session

from monai_anomaly.apps.node.delivery.parcel import Outcome, Parcel

__all__ = ["StowSender"]

ALREADY_THERE = 0x0111  # duplicate SOP instance (PS3.7 C.5.6)


@dataclass(frozen=True)
class StowSender:
    """Send to one service.

    Args:
        url: of the service, without "/studies".
        token_file: a file whose one line is the bearer token, read anew for each batch; None sends none.
        ca: authorities of the service, PEM; None takes those of requests.
        seconds: how long to wait for a connection and for each answer.
    """

    url: str
    token_file: Path | None = None
    ca: Path | None = None
    seconds: float = 30.0

    def send(self, parcels: Sequence[Parcel]) -> Iterator[tuple[Parcel, Outcome]]:
        """Send objects and yield what the service said to each, at once, so that no answer is lost.

        Args:
            parcels: what to send, in this order.
        """
        with Session() as session:
            session.trust_env = False  # no proxy and no password from the environment or a home folder
            try:
                if self.token_file is not None:
                    session.headers["Authorization"] = f"Bearer {self.token_file.read_text().strip()}"
            except OSError:
                yield from ((parcel, Outcome(False, "no_token")) for parcel in parcels)
                return
            if self.ca is not None:
                session.verify = str(self.ca)
            client = DICOMwebClient(self.url, session=session, timeout=self.seconds)
            client.set_http_retry_params(retry=False)  # the queue tries again
            for parcel in parcels:
                yield parcel, _send_one(client, parcel)


def _send_one(client: DICOMwebClient, parcel: Parcel) -> Outcome:
    """Send one object."""
    try:
        answer = client.store_instances([dcmread(parcel.path)])
    except HTTPError as error:
        return _refused(error.response)
    except JSONDecodeError:  # of an answer that is none; a RequestException, too
        return Outcome(False, "no_answer")
    except RequestException:
        return Outcome(False, "no_connection")
    except OSError:
        return Outcome(False, "no_file")
    except ValueError:
        return Outcome(False, "no_answer")
    return _outcome(answer, 200)


def _refused(response: Response | None) -> Outcome:
    """Read the answer of an HTTP error; a conflict may mean that the object is there already."""
    if response is None:
        return Outcome(False, "no_answer")
    if response.status_code != 409:
        return Outcome(False, f"http_{response.status_code}")
    try:
        return _outcome(Dataset.from_json(response.content.decode()), 409)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Outcome(False, "http_409")


def _outcome(answer: Dataset, http: int) -> Outcome:
    """Read the Failed SOP Sequence (0008,1198) and the Referenced SOP Sequence (0008,1199) of an answer."""
    failed = answer.get("FailedSOPSequence") or []
    if failed:
        reason = int(failed[0].get("FailureReason") or 0)
        return Outcome(reason == ALREADY_THERE, f"0x{reason:04X}")
    return Outcome(bool(answer.get("ReferencedSOPSequence")), f"http_{http}")
