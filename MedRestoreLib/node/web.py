"""Delivers derived files over DICOMweb: what QIDO-RS finds there already is not stored again by STOW-RS.

Standard: DICOM PS3.18 sections 10.5 (store) and 10.6 (search).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..files.quiet import quiet_pydicom
from .config import Config, Peer

_SECONDS = 60.0


class Web:
    """A DICOMweb service."""

    def __init__(self, config: Config, peer: Peer) -> None:
        import requests
        from dicomweb_client import DICOMwebClient

        self._session = session = requests.Session()
        if config.tls is not None:
            session.verify = str(config.tls.authorities)
            session.cert = (str(config.tls.certificate), str(config.tls.key))
        self._client = DICOMwebClient(peer.url, session=session, timeout=_SECONDS)
        self._client.set_http_retry_params(retry=False)  # the queue tries again, and later
        self._there: dict[str, set[str]] = {}  # instances by series, of those that were asked for

    def send(self, file: Path) -> str:
        """Why a file could not be delivered; "" if it was, now or before."""
        from pydicom import dcmread

        try:
            with quiet_pydicom():
                data = dcmread(file)
                if data.SOPInstanceUID in self._known(data):
                    return ""
                answer = self._client.store_instances([data])
        except Exception as error:  # of several libraries; its text may hold what names a patient
            status = getattr(getattr(error, "response", None), "status_code", "")
            return f"it could not be sent ({type(error).__name__}{f' {status}' if status else ''})"
        failed = answer.get("FailedSOPSequence") or []
        return f"the destination refused it (reason {int(failed[0].FailureReason):04X})" if failed else ""

    def _known(self, data: Any) -> set[str]:
        """The instances of this series that are there; none where the service cannot be searched."""
        series = str(data.SeriesInstanceUID)
        if series not in self._there:
            try:
                found = self._client.search_for_instances(str(data.StudyInstanceUID), series, get_remaining=True)
                self._there[series] = {one["00080018"]["Value"][0] for one in found}
            except Exception:  # the archive stores an instance once, whoever sends it twice
                self._there[series] = set()
        return self._there[series]

    def close(self) -> None:
        """End the connection."""
        self._session.close()
