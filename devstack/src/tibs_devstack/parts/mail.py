"""A mail server that keeps what it is sent and shows it on a page: nothing leaves the machine."""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from tibs_devstack.parts.base import Origin, Part
from tibs_devstack.parts.python_server import start_python
from tibs_devstack.process import LOOPBACK


class Mail(Part):
    """SMTP on one port, the page and its JSON on another; mails are kept in `folder`."""

    name = "mail"
    origin = Origin.EMBEDDED

    def __init__(self, folder: Path, *, smtp_port: int, http_port: int, log: Path) -> None:
        self._folder = folder
        self._smtp_port = smtp_port
        self._http_port = http_port
        self._log = log

    def start(self) -> None:
        if self.child is not None and self.child.running:
            return
        self.child = start_python(
            name="the mail catcher",
            module="tibs_devstack.parts.mail_server",
            arguments=[str(self._folder), str(self._smtp_port), str(self._http_port)],
            log=self._log,
            ports=[self._smtp_port, self._http_port],
        )

    @property
    def address(self) -> str:
        """smtp://host:port"""
        return f"smtp://{LOOPBACK}:{self._smtp_port}"

    @property
    def page(self) -> str:
        """Where a person reads the mails; JSON at /api/mails."""
        return f"http://{LOOPBACK}:{self._http_port}"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"aiosmtpd": version("aiosmtpd")}

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop(grace=3)
