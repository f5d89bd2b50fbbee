"""Alembic, run from code: the chassis' tables are one branch, the service's own another.

A service keeps its revisions in `<package>/migrations/versions/`; there is one environment for all of them here.
"""

from importlib.resources import files
from pathlib import Path

from alembic import command
from alembic.config import Config

_HERE = Path(__file__).parent


def upgrade(url: str, package: str) -> None:
    """Brings the database at a libpq address to the newest revision of both branches. Safe to run again."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    own = Path(str(files(package))) / "migrations" / "versions"
    config.set_main_option("version_locations", "\n".join(sorted({str(_HERE / "versions"), str(own)})))
    config.attributes["url"] = url.replace("postgresql://", "postgresql+psycopg://", 1)
    command.upgrade(config, "heads")
