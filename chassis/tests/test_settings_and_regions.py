"""A wrong or missing value stops the start with a sentence that says which, what it held and what it should hold."""

from pathlib import Path

import pytest
import yaml

from tibs_chassis.regions import Regions, RegionsError
from tibs_chassis.settings import NodeSettings, load_settings

REGIONS_FILE = Path(__file__).parents[2] / "deploy" / "regions.yaml"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    (tmp_path / "jwks.json").write_text("{}")
    for name, value in {
        "REGION": "pl84",
        "REGIONS_FILE": str(REGIONS_FILE),
        "DATABASE_URL": "postgresql://r:secret@localhost:5432/registry",
        "KAFKA": "localhost:9092",
        "NODE_JWKS": str(tmp_path / "jwks.json"),
        "OIDC_ISSUER": "http://localhost:9000/",
    }.items():
        monkeypatch.setenv(f"TIBS_{name}", value)
    return monkeypatch


def test_a_whole_environment_gives_settings(environment: pytest.MonkeyPatch) -> None:
    settings = load_settings(NodeSettings)
    assert (settings.region, settings.oidc_issuer) == ("pl84", "http://localhost:9000")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("REGION", None, "TIBS_REGION is not set: it should hold the code of this node's region"),
        ("REGION", "PL 84", "TIBS_REGION held 'PL 84'"),
        ("REGIONS_FILE", "/nowhere.yaml", "TIBS_REGIONS_FILE held '/nowhere.yaml': Path does not point to a file"),
        ("KAFKA", "localhost", "TIBS_KAFKA held 'localhost': Value error, should be like host:9092"),
        ("HTTP_PORT", "99999", "TIBS_HTTP_PORT held '99999'"),
        ("OIDC_ISSUER", "localhost", "TIBS_OIDC_ISSUER held 'localhost'"),
        ("LOG_LEVEL", "loud", "TIBS_LOG_LEVEL held 'loud'"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str | None, sentence: str
) -> None:
    if value is None:
        environment.delenv(f"TIBS_{name}")
    else:
        environment.setenv(f"TIBS_{name}", value)
    with pytest.raises(SystemExit) as stopped:
        load_settings(NodeSettings)
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_wrong_address_is_not_shown_for_it_may_hold_a_password(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("TIBS_DATABASE_URL", "mysql://r:secret@localhost/x")
    with pytest.raises(SystemExit):
        load_settings(NodeSettings)
    told = capsys.readouterr().err
    assert "should be like postgresql://" in told
    assert "secret" not in told


def test_the_regions_of_the_network_are_there() -> None:
    regions = Regions.load(REGIONS_FILE)
    assert [region.code for region in regions] == ["pl84", "lv008", "ee008", "lt", "fi1c", "de60", "dk03"]
    assert regions["fi1c"].desk == "Kouvola Innovation Ltd"
    assert regions["pl84"].name_in("pl") == regions["pl84"].name_in("xx") == "Podlaskie"
    assert len(regions.others("lt")) == 6


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"time_zone": "Europe/Atlantis"}, "is not a time zone such as Europe/Riga"),
        ({"code": "lv008"}, "region code 'lv008' is used twice"),
        ({"code": "PL84"}, "code held 'PL84'"),
        ({"languages": []}, "languages held []"),
    ],
)
def test_a_wrong_region_is_named(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    content = yaml.safe_load(REGIONS_FILE.read_text(encoding="utf-8"))
    content["regions"][0] |= change
    file = tmp_path / "regions.yaml"
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(RegionsError) as wrong:
        Regions.load(file)
    assert sentence in str(wrong.value)


@pytest.mark.parametrize("content", ["", "- x", "regions: 5", "\x00", "a: [", "regions: [5]"])
def test_a_file_that_is_no_list_of_regions_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "regions.yaml"
    file.write_text(content)
    with pytest.raises(RegionsError):
        Regions.load(file)


def test_a_region_outside_the_network_is_unknown_by_name() -> None:
    with pytest.raises(RegionsError, match="'se11' is not a region of the network: pl84, lv008"):
        Regions.load(REGIONS_FILE)["se11"]
