"""What this service is told, besides what every service is."""

from pydantic import Field, FilePath

from tibs_chassis.settings import SIGNING_KEY, NodeSettings
from tibs_registry.profiles.rules import Limits


class RegistrySettings(NodeSettings):
    """Limits are the region's choice: the defaults are those of the Enterprise Europe Network's database."""

    signing_key: FilePath = Field(description=SIGNING_KEY)
    profile_title: int = Field(default=200, ge=1, le=1000, description="characters that a profile's title may have")
    profile_summary: int = Field(default=500, ge=1, le=5000, description="characters that its summary may have")
    profile_description_least: int = Field(default=100, ge=0, le=4000, description="characters its description needs")
    profile_description: int = Field(default=4000, ge=1, le=20000, description="characters that it may have")
    profile_advantages: int = Field(default=2000, ge=1, le=20000, description="characters that advantages may have")
    profile_keywords: int = Field(default=5, ge=1, le=50, description="keywords of each kind that a profile may have")
    profile_validity_months: int = Field(default=12, ge=1, le=60, description="months that a profile is valid")
    expiry_interval: float = Field(default=600, gt=0, description="seconds between two looks for expired profiles")

    @property
    def limits(self) -> Limits:
        """The limits of profiles, as the rules want them."""
        return Limits(
            title=self.profile_title,
            summary=self.profile_summary,
            description_least=self.profile_description_least,
            description=self.profile_description,
            advantages=self.profile_advantages,
            keywords=self.profile_keywords,
            validity_months=self.profile_validity_months,
        )
