"""Configuration of this service."""

from datetime import timedelta

from pydantic import Field, FilePath, SecretStr

from tibs_cases.promises.rules import PromiseKind, Terms
from tibs_chassis.settings import SIGNING_KEY, NodeSettings, WebAddress


class Settings(NodeSettings):
    """Each field is read from TIBS_<NAME>."""

    node_key: FilePath = Field(description="path of the private key (JWK) that signs this node's own tokens")
    signing_key: FilePath = Field(description=SIGNING_KEY)
    public_url: WebAddress = Field(
        description="address under which people reach the pages, such as https://node.example"
    )
    registry_url: WebAddress
    matching_url: WebAddress
    notify_url: WebAddress
    contacts_key: FilePath = Field(description="path of the private key (JWK) that opens contact data")
    oidc_client_id: str = "tibs-cases"
    oidc_client_secret: SecretStr = SecretStr("")
    session_secret: SecretStr
    sample_notice: bool = Field(default=False, description="whether pages say that what they show is a simulation")

    promise_days_broker: int = Field(default=5, ge=1, le=250)
    promise_days_contact: int = Field(default=5, ge=1, le=250)
    promise_days_diagnosis: int = Field(default=10, ge=1, le=250)
    promise_days_acknowledgement: int = Field(default=5, ge=1, le=250)
    promise_days_decision: int = Field(default=15, ge=1, le=250)
    promise_reminder_days: int = Field(default=1, ge=0, le=50, description="working days before the end")
    promise_check_seconds: float = Field(default=60, gt=0, le=86_400)
    probe_seconds: float = Field(default=15, ge=1, le=3_600, description="how often every other region is probed")

    @property
    def probe_interval(self) -> timedelta:
        return timedelta(seconds=self.probe_seconds)

    @property
    def terms(self) -> Terms:
        """How long each promise runs."""
        return Terms(
            days={
                PromiseKind.BROKER_ASSIGNED: self.promise_days_broker,
                PromiseKind.FIRST_CONTACT: self.promise_days_contact,
                PromiseKind.DIAGNOSIS: self.promise_days_diagnosis,
                PromiseKind.ACKNOWLEDGEMENT: self.promise_days_acknowledgement,
                PromiseKind.CLIENT_DECISION: self.promise_days_decision,
            },
            reminder=self.promise_reminder_days,
        )
