"""Handing mails to the mail server. What a server says may hold the address, so only its code is passed on."""

from email.message import EmailMessage
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib


class NotTaken(Exception):
    """The server did not take the mail. `final` says that it never will; the message is free of personal data."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Sender(Protocol):
    """Something that takes mails."""

    async def send(self, mail: EmailMessage) -> None:
        """Returns when the mail was taken; raises NotTaken otherwise."""
        ...


class SmtpSender:
    """A mail server by SMTP. Encrypts by STARTTLS where the server offers it, from the start for `smtps`."""

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        parts = urlsplit(url)
        self._host = parts.hostname or "localhost"
        self._tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._tls else 25)
        self._name = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._timeout = timeout

    async def send(self, mail: EmailMessage) -> None:
        try:
            await aiosmtplib.send(
                mail,
                hostname=self._host,
                port=self._port,
                use_tls=self._tls,
                username=self._name,
                password=self._password,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            codes = [refused.code for refused in error.recipients]
            raise NotTaken(
                f"the mail server refused the address ({', '.join(map(str, codes))})",
                final=all(code >= 500 for code in codes),
            ) from None
        except aiosmtplib.SMTPResponseException as error:
            # Not being let in may be mended by whoever runs the server; a refused mail stays refused.
            final = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            raise NotTaken(f"the mail server refused the mail ({error.code})", final=final) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotTaken(f"the mail server cannot be reached ({type(error).__name__})") from None
