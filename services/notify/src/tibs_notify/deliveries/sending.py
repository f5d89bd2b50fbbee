"""One try to bring a delivery to its person.

Three steps, of which only the first and the last hold a transaction: read, send, write down. A crash between sending
and writing down sends the mail a second time, under the same Message-ID, by which its receiver knows it as one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from tibs_chassis import clock
from tibs_chassis.database import Database
from tibs_chassis.log import logger
from tibs_notify.deliveries import service
from tibs_notify.deliveries.mail import Letterhead, compose
from tibs_notify.deliveries.rules import masked
from tibs_notify.deliveries.service import Failure
from tibs_notify.deliveries.smtp import NotTaken, Sender
from tibs_notify.notices.model import Notice
from tibs_notify.notices.rules import TYPE_OF
from tibs_notify.people import Desk, DeskAway
from tibs_notify.preferences import service as preferences
from tibs_notify.preferences.rules import Channel

ATTEMPTS = Counter("tibs_mail_attempts_total", "Mails that were tried to be sent.", ["outcome"])


@dataclass(frozen=True)
class Mailroom:
    """What is needed to send mails."""

    database: Database
    desk: Desk
    sender: Sender
    head: Letterhead
    schedule: Sequence[int]

    async def send(self, delivery_id: UUID) -> datetime | None:
        """Tries once, if there is something to try. Returns when to come back, None if there is nothing left to do."""
        async with self.database.transaction() as session:
            found = await service.waiting(session, delivery_id=delivery_id)
            if found is None:
                return None
            delivery, notice = found
            now = clock.now()
            if delivery.next_attempt_at is not None and delivery.next_attempt_at > now:
                return delivery.next_attempt_at
            wishes = await preferences.wishes_of(session, person=notice.person)
            if Channel.MAIL not in wishes.ways(notice.what, of=TYPE_OF[notice.what]):
                await service.drop(session, delivery_id=delivery_id, reason="switched off meanwhile")
                return None
            zone = self.head.regions[self.head.region].zone
            if (until := wishes.not_before(notice.what, now=now, zone=zone)) is not None:
                await service.postpone(session, delivery_id=delivery_id, until=until)
                return until
        outcome = await self._try(delivery_id, notice)
        async with self.database.transaction() as session:
            if isinstance(outcome, str):
                await service.record_sent(session, delivery_id=delivery_id, address=outcome)
                again = None
            else:
                again = await service.record_failure(
                    session, delivery_id=delivery_id, failure=outcome, schedule=self.schedule
                )
        if isinstance(outcome, str):
            ATTEMPTS.labels("sent").inc()
            logger.info("mail.sent", delivery=str(delivery_id))
        else:
            ATTEMPTS.labels("failed" if again is None else "again").inc()
            level = logger.error if again is None else logger.warning
            level("mail.not_sent", delivery=str(delivery_id), reason=outcome.reason, again=again and again.isoformat())
        return again

    async def _try(self, delivery_id: UUID, notice: Notice) -> str | Failure:
        """The masked address to which it went, or why it did not go."""
        try:
            person = await self.desk.person(notice.person)
        except DeskAway as error:
            return Failure(str(error))
        if person is None:
            # Somebody may be named before the desk has seen them for the first time.
            return Failure("the desk does not know this person")
        if person.address is None:
            return Failure("the desk knows no address of this person", final=True)
        address = masked(person.address)
        try:
            mail = compose(
                notice,
                delivery_id=delivery_id,
                address=person.address,
                language=person.language,
                at=clock.now(),
                head=self.head,
            )
        except ValueError:
            return Failure("the address is not one that mail can be sent to", final=True, address=address)
        try:
            await self.sender.send(mail)
        except NotTaken as error:
            return Failure(str(error), final=error.final, address=address)
        return address
