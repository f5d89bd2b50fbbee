"""How long a match query takes over 10,000 profiles.

The profiles are made up from the vocabulary of the sectors, in four languages; their vectors are those of real texts
of the same sector, moved about at random, which spares an hour of embedding and changes nothing for the search. Queries
are embedded really, each only once, and asked over the service's own HTTP interface. As the floor the same run measures
what no implementation could leave out: embedding a query of that length, and a bare SELECT of the nearest vectors.

    .venv/bin/python bench/match.py [--profiles 10000] [--queries 150]
"""

import argparse
import asyncio
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import httpx
import numpy as np
import psutil
import psycopg
from pgvector import Vector
from pgvector.psycopg import register_vector_async

from tibs_chassis import clock, migrations
from tibs_chassis.auth import Role
from tibs_chassis.testing import make_node_files, make_principal
from tibs_chassis.tokens import TokenMinter
from tibs_contracts.codes import ActorKind, Cooperation, ProfileType, Sector
from tibs_contracts.events import AnonymousClient, ProfilePublished
from tibs_contracts.ids import new_id
from tibs_matching.app import assemble
from tibs_matching.embedders.nano import NanoEmbedder
from tibs_matching.index import rules
from tibs_matching.index.upkeep import Upkeep
from tibs_matching.settings import Settings

REGIONS_FILE = Path(__file__).parents[1] / "deploy" / "regions.yaml"
REGIONS = ("pl84", "fi1c", "lv008", "ee", "lt", "de6", "dk")
COUNTRIES = ("PL", "FI", "LV", "EE", "LT", "DE", "DK")

# What companies of a sector speak of; the first word list names things made, the second what is done with them.
VOCABULARY = {
    Sector.AGROFOOD: (
        "oat drink, rye flour, pea protein, berry powder, malt, dairy culture, fish feed, honey",
        "milling, drying, fermentation, packaging, cold storage, extraction",
    ),
    Sector.MARITIME: (
        "boat hull, glass fibre mould, mooring, ferry ramp, sonar, sail, deck hatch, harbour crane",
        "laminating, welding, sea trial, refitting, corrosion protection, dredging",
    ),
    Sector.ICT: (
        "sensor network, route planner, mobile app, camera system, translation platform, ledger, "
        "digital twin, payment terminal",
        "programming, data analysis, image recognition, integration, hosting, testing",
    ),
    Sector.HEALTHCARE: (
        "wheelchair, wound dressing, pulse monitor, implant, hospital bed, hearing aid, rehabilitation robot, test kit",
        "sterilisation, clinical trial, diagnosis, telecare, calibration, patient training",
    ),
    Sector.ENVIRONMENT: (
        "biogas digester, slurry tank, water filter, peat substitute, sorting line, compost, air scrubber, reed bed",
        "recycling, wastewater treatment, soil washing, monitoring, nutrient recovery, pyrolysis",
    ),
    Sector.INTELLIGENT_ENERGY: (
        "heat pump, solar collector, wood pellet boiler, battery rack, wind turbine blade, "
        "inverter, heat exchanger, smart meter",
        "energy audit, load shifting, district heating, storage, insulation, grid connection",
    ),
    Sector.MATERIALS: (
        "laser cutter, birch plywood, composite panel, stainless pipe, ceramic coating, cellulose "
        "fibre, aerogel, foam glass",
        "laser welding, hardening, bending, surface finishing, casting, recycling of fibres",
    ),
    Sector.SUSTAINABLE_CONSTRUCTION: (
        "timber frame, green roof, window, clay plaster, modular house, hemp insulation, facade element, staircase",
        "prefabrication, renovation, moisture measurement, planning, assembly, demolition",
    ),
    Sector.TEXTILE_FASHION: (
        "linen cloth, knitwear, leather bag, work clothing, recycled yarn, felt, lace, outdoor jacket",
        "weaving, dyeing, cutting, embroidery, repair, sizing",
    ),
    Sector.TOURISM_HERITAGE: (
        "cycle route, manor hotel, audio guide, museum exhibition, nature trail, sauna village, "
        "craft workshop, canoe trip",
        "booking, guiding, storytelling, marketing, restoration, catering",
    ),
}
SENTENCES = {
    "en": (
        "{kind} from the region offers {thing} and {doing} for customers abroad.",
        "The {thing} is made in small series with {doing}, and quality is measured at every step.",
        "Partners with experience in {doing} are wanted for a long cooperation on {thing}.",
        "Costs fell by {number} per cent since {doing} was changed.",
    ),
    "fi": (
        "Yritys tarjoaa tuotetta {thing} ja palvelua {doing} ulkomaisille asiakkaille.",
        "Tuote {thing} valmistetaan pienissä sarjoissa, menetelmänä {doing}.",
        "Etsimme kumppania, jolla on kokemusta alalta {doing}.",
        "Kustannukset laskivat {number} prosenttia.",
    ),
    "de": (
        "Das Unternehmen bietet {thing} und {doing} für Kunden im Ausland an.",
        "Gefertigt wird {thing} in kleinen Serien mit {doing}.",
        "Gesucht werden Partner mit Erfahrung in {doing} für eine lange Zusammenarbeit.",
        "Die Kosten sanken um {number} Prozent.",
    ),
    "pl": (
        "Firma oferuje {thing} oraz {doing} klientom za granicą.",
        "Produkt {thing} powstaje w małych seriach, technologia to {doing}.",
        "Poszukiwany jest partner z doświadczeniem w zakresie {doing}.",
        "Koszty spadły o {number} procent.",
    ),
}
_SYLLABLES = ("ka", "lo", "mi", "ter", "van", "sul", "por", "ne", "dri", "os", "ba", "leg")
ASKED = (
    "partner for {doing} of {thing}",
    "who makes {thing} in Finland or Denmark",
    "{thing} with {doing}, small series",
    "company wants to learn {doing} for its {thing} and sell abroad",
    "looking for a research institute that knows {doing}",
)


def _words(sector: Sector) -> tuple[list[str], list[str]]:
    things, doings = VOCABULARY[sector]
    return things.split(", "), doings.split(", ")


def _syllables(chance: random.Random) -> str:
    """A word of nobody's language: names and trade terms make every real text's vocabulary long-tailed."""
    return "".join(
        chance.choice(["ka", "lo", "mi", "ter", "van", "sul", "por", "ne", "dri", "os", "ba", "leg"])
        for _ in range(chance.randint(2, 4))
    )


def _profile(chance: random.Random, number: int) -> tuple[ProfilePublished, Sector]:
    sector = chance.choice(list(VOCABULARY))
    things, doings = _words(sector)
    language = chance.choices(("en", "fi", "de", "pl"), (6, 2, 1, 1))[0]

    def sentence() -> str:
        pattern = chance.choice(SENTENCES[language])
        told = pattern.format(
            kind="A company", thing=chance.choice(things), doing=chance.choice(doings), number=chance.randint(3, 60)
        )
        return f"{told} {_syllables(chance).capitalize()} {_syllables(chance)}."

    now = clock.now()
    type_ = chance.choice([one for one in ProfileType if one is not ProfileType.UNKNOWN])
    region = chance.randrange(len(REGIONS))
    return ProfilePublished(
        profile_id=new_id(),
        reference=f"{type_.value}{COUNTRIES[region]}20260101{number:03}",
        profile_type=type_,
        title=f"{chance.choice(things)} and {chance.choice(doings)}".capitalize(),
        summary=" ".join(sentence() for _ in range(3)),
        description=" ".join(sentence() for _ in range(chance.randint(6, 18))),
        language=language,
        cooperation=chance.sample([one for one in Cooperation if one is not Cooperation.UNKNOWN], 2),
        target_countries=chance.sample(COUNTRIES, chance.randint(0, 4)),
        sectors=[sector],
        technology_keywords=[chance.choice(doings)],
        languages=["en", language] if language != "en" else ["en"],
        trl=chance.choice([None, 4, 6, 8, 9]),
        client=AnonymousClient(country=COUNTRIES[region], kind=chance.choice([ActorKind.SME, ActorKind.RESEARCH])),
        desk="Desk",
        published_at=now - timedelta(days=chance.randint(0, 400)),
        valid_until=now.date() + timedelta(days=chance.randint(-20, 300)),
    ), sector


async def _directions(embedder: NanoEmbedder, chance: random.Random) -> dict[Sector, list[np.ndarray]]:
    """For each sector the real vectors of a dozen texts."""
    found = {}
    for sector in VOCABULARY:
        things, doings = _words(sector)
        texts = [
            SENTENCES[language][0].format(kind="A company", thing=chance.choice(things), doing=chance.choice(doings))
            for language in ("en", "en", "fi", "de", "pl") * 2
        ]
        found[sector] = list(await embedder.passages(texts))
    return found


def _vectors(directions: Sequence[np.ndarray], count: int, noise: np.random.Generator) -> Iterator[np.ndarray]:
    for _ in range(count):
        vector = directions[int(noise.integers(len(directions)))] + noise.normal(scale=0.018, size=384)
        yield (vector / np.linalg.norm(vector)).astype(np.float32)


async def _fill(url: str, *, profiles: int, embedder: NanoEmbedder) -> None:
    chance, noise = random.Random(7), np.random.default_rng(7)
    directions = await _directions(embedder, chance)
    columns = (
        "profile_id, region, profile_type, language, country, client_kind, sectors, cooperation, target_countries, "
        "languages, trans_s3, sought_kinds, sought_sizes, trl, published_at, valid_until, open_for_interest, profile, "
        "embedding, embedded_by, text_hash, indexed_at"
    )
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await register_vector_async(connection)
        await connection.execute("CREATE TEMP TABLE made (LIKE indexed_profile, searched text, configuration text)")
        await connection.execute("ALTER TABLE made ALTER terms DROP NOT NULL")
        passages: list[tuple[Any, int, str, Vector]] = []
        async with (
            connection.cursor() as cursor,
            cursor.copy(f"COPY made ({columns}, searched, configuration) FROM STDIN") as copy,
        ):
            for number in range(profiles):
                profile, sector = _profile(chance, number)
                [vector] = _vectors(directions[sector], 1, noise)
                row: tuple[Any, ...] = (
                    profile.profile_id,
                    chance.choice(REGIONS),
                    profile.profile_type.value,
                    profile.language,
                    profile.client.country,
                    profile.client.kind.value,
                    [code.value for code in profile.sectors],
                    [code.value for code in profile.cooperation],
                    profile.target_countries,
                    profile.languages,
                    [],
                    [],
                    [],
                    profile.trl,
                    profile.published_at,
                    profile.valid_until,
                    chance.random() > 0.03,
                    profile.model_dump_json(exclude_none=True),
                    Vector(vector),
                    embedder.name,
                    "made",
                    profile.published_at,
                    rules.searched_text(profile),
                    rules.configuration(profile.language),
                )
                await copy.write_row(row)
                told = rules.passages(profile)[:4]
                near = _vectors(directions[sector], len(told), noise)
                passages += [
                    (profile.profile_id, place, text, Vector(one))
                    for place, (text, one) in enumerate(zip(told, near, strict=True))
                ]
        await connection.execute(
            f"INSERT INTO indexed_profile ({columns}, terms) SELECT {columns}, strip(to_tsvector("
            "configuration::regconfig, searched) || to_tsvector('simple', searched)) FROM made"
        )
        async with (
            connection.cursor() as cursor,
            cursor.copy(
                "COPY profile_passage (profile_id, number, text, embedding) FROM STDIN (FORMAT BINARY)"
            ) as copy,
        ):
            copy.set_types(["uuid", "int4", "text", "vector"])
            for passage in passages:
                await copy.write_row(passage)
        await connection.execute("VACUUM ANALYZE")


def _bodies(count: int) -> dict[str, list[dict[str, Any]]]:
    """Questions, none twice: as typed into a search box, and as a need of a title and a summary."""
    chance = random.Random(11)
    free, needs = [], []
    for number in range(count):
        sector = chance.choice(list(VOCABULARY))
        things, doings = _words(sector)
        text = chance.choice(ASKED).format(thing=chance.choice(things), doing=chance.choice(doings))
        free.append({"text": f"{text} {_syllables(chance)}"})
        summary = " ".join(
            SENTENCES["en"][2].format(thing=chance.choice(things), doing=chance.choice(doings)) for _ in range(2)
        )
        needs.append(
            {
                "need": {
                    "type": chance.choice(["BR", "TR", "BO", "TO"]),
                    "title": f"Seeks {chance.choice(things)} {number}",
                    "summary": summary,
                    "sectors": [sector.value],
                    "target_countries": chance.sample(COUNTRIES, 2),
                    "kind": "sme",
                }
            }
        )
    return {"free": free, "need": needs}


async def _ask(client: httpx.AsyncClient, body: dict[str, Any]) -> float:
    started = time.perf_counter()
    answer = await client.post("/api/v1/matches", json=body)
    took = (time.perf_counter() - started) * 1000
    if answer.status_code != 200 or not answer.json()["items"]:
        raise SystemExit(f"the service answered {answer.status_code}: {answer.text[:300]}")
    return took


async def _floor(
    connection: psycopg.AsyncConnection[Any], body: dict[str, Any], embedder: NanoEmbedder
) -> tuple[float, float]:
    """Embedding alone, and that and a bare SELECT of the nearest vectors."""
    need = body.get("need")
    started = time.perf_counter()
    [vector] = await embedder.queries([body["text"] if need is None else f"{need['title']}. {need['summary']}"])
    alone = (time.perf_counter() - started) * 1000
    cursor = await connection.execute(
        "SELECT profile_id FROM indexed_profile ORDER BY embedding <=> %s LIMIT 10", (Vector(vector),), binary=True
    )
    await cursor.fetchall()
    return alone, (time.perf_counter() - started) * 1000


def _p(values: Sequence[float], percent: int) -> float:
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 1)


async def measure(url: str, *, profiles: int = 10_000, queries: int = 150) -> dict[str, Any]:
    """Fills the empty database at `url` (a role that may create tables; pgvector there) and measures. Milliseconds."""
    with tempfile.TemporaryDirectory(prefix="tibs-bench-") as folder:
        files = make_node_files(Path(folder), regions_file=REGIONS_FILE)
        await asyncio.to_thread(migrations.upgrade, url, "tibs_matching")
        embedder = NanoEmbedder()
        service = assemble(
            Settings(
                region="pl84",
                regions_file=files.regions,
                database_url=url,
                kafka="127.0.0.1:9",
                node_jwks=files.jwks,
                oidc_issuer="http://127.0.0.1:9",
            ),
            embedder=embedder,
        )
        started = time.perf_counter()
        await _fill(url, profiles=profiles, embedder=embedder)
        await Upkeep(database=service.database, embedder=embedder, pause=1).settle()
        filled = time.perf_counter() - started
        # What was left over from filling is not the service's to sweep.
        gc.collect()
        gc.freeze()
        assert service.api is not None
        minter = TokenMinter(region="pl84", key_file=files.key)
        bodies = _bodies(queries)
        token = minter.mint(make_principal(Role.BROKER), "matching", lifetime=3600)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=service.api),
            base_url="http://matching",
            headers={"Authorization": f"Bearer {token}"},
        ) as client:
            for body in _bodies(3)["free"]:
                await _ask(client, body)
            took: dict[str, list[float]] = {"free": [], "need": []}
            alone: dict[str, list[float]] = {"free": [], "need": []}
            floor: dict[str, list[float]] = {"free": [], "need": []}
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                await register_vector_async(connection)
                # In turns, so that whatever else the machine does slows both alike.
                for kind, asked in bodies.items():
                    for body in asked:
                        took[kind].append(await _ask(client, body))
                        embedding, search = await _floor(connection, body, embedder)
                        alone[kind].append(embedding)
                        floor[kind].append(search)
            again = [await _ask(client, body) for body in bodies["need"]]
        await service.database.close()
        await embedder.close()
    return {
        "profiles": profiles,
        "queries": queries,
        "fill_seconds": round(filled, 1),
        "match_ms": {"p50": _p(took["free"], 50), "p95": _p(took["free"], 95)},
        "match_embedding_ms": {"p50": _p(alone["free"], 50), "p95": _p(alone["free"], 95)},
        "match_floor_ms": {"p50": _p(floor["free"], 50), "p95": _p(floor["free"], 95)},
        "match_ratio_p50": round(_p(took["free"], 50) / _p(floor["free"], 50), 2),
        "new_need_ms": {"p50": _p(took["need"], 50), "p95": _p(took["need"], 95)},
        "new_need_embedding_ms": {"p50": _p(alone["need"], 50), "p95": _p(alone["need"], 95)},
        "new_need_floor_ms": {"p50": _p(floor["need"], 50), "p95": _p(floor["need"], 95)},
        "known_need_ms": {"p50": _p(again, 50), "p95": _p(again, 95)},
        "resident_mb": round(psutil.Process().memory_info().rss / 1e6),
    }


def main() -> None:
    from tibs_devstack.parts.postgres import find_postgres

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--queries", type=int, default=150)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tibs-bench-") as folder:
        server = find_postgres(Path(folder) / "postgres", durable=False)
        server.start()
        try:
            url = server.create_database("match", extensions=["vector"])
            figures = asyncio.run(measure(url, profiles=asked.profiles, queries=asked.queries))
        finally:
            server.stop()
    for name, value in figures.items():
        print(f"{name:24} {value}", file=sys.stderr)
    print(json.dumps({"match": figures}))


if __name__ == "__main__":
    main()
