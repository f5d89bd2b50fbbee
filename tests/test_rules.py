"""Rules of the code base that no linter knows: each is executable here."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [ROOT / name for name in ("contracts/src", "chassis/src", "services", "devstack/src")]
FEATURE_FILES = {"service.py", "rules.py", "events.py", "model.py"}


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in SOURCES:
        for path in sorted(folder.rglob("src/**/*.py" if folder.name == "services" else "**/*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_application_code_never_commits() -> None:
    guilty = [
        f"{path}:{call.lineno}"
        for path, tree in _modules()
        if path.parts[0] == "services"
        for call in _calls(tree)
        if _name(call) in {"commit", "rollback"}
    ]
    assert guilty == []


def test_only_the_relay_has_a_producer() -> None:
    guilty = [
        str(path)
        for path, tree in _modules()
        if any(_name(call) == "AIOKafkaProducer" for call in _calls(tree))
        or any(isinstance(node, ast.Attribute) and node.attr == "publisher" for node in ast.walk(tree))
    ]
    assert guilty == ["chassis/src/tibs_chassis/relay.py"]


def test_rules_do_no_io_and_have_no_clock() -> None:
    forbidden = re.compile(r"^(sqlalchemy|sqlmodel|fastapi|starlette|httpx|aiokafka|faststream|psycopg|asyncio|time)\b")
    guilty = [
        f"{path}: {name}"
        for path, tree in _modules()
        if path.name == "rules.py"
        for name in _imports(tree)
        if forbidden.match(name) or name == "tibs_chassis.clock"
    ]
    guilty += [
        f"{path}:{call.lineno}: {_name(call)}()"
        for path, tree in _modules()
        if path.name == "rules.py"
        for call in _calls(tree)
        if _name(call) in {"now", "utcnow", "today"} and not call.args
    ]
    assert guilty == []


def test_topic_names_are_built_in_one_place() -> None:
    topic = re.compile(r"\^?tibs(\\)?(-local)?(\\)?\.[^ ]*\.v1\$?")
    guilty = [
        f"{path}:{node.lineno}: {node.value}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and topic.fullmatch(node.value)
        # The AsyncAPI document names topics with placeholders; a test of its own compares them with the real ones.
        and path.name not in {"topics.py", "asyncapi.py"}
    ]
    assert guilty == []


def test_no_public_event_has_a_field_for_contact_data() -> None:
    from tibs_contracts.events import all_events

    telling = re.compile(r"mail|phone|contact|person|first_name|last_name|surname|street")
    guilty = [
        f"{event.type}: {name}"
        for event in all_events().values()
        if event.channel.public
        for name in _field_names(event.model_json_schema())
        if telling.search(name)
    ]
    assert guilty == []


def _field_names(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for value in schema.values():
            yield from _field_names(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _field_names(value)


def test_no_markup_holds_script_or_style_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\bsrc=)|\son[a-z]+=\"|\sstyle=\"|javascript:", re.IGNORECASE)
    guilty = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ROOT.glob("services/*/src/**/*.html")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if inline.search(line)
        # Mail readers know no style sheets.
        and "mail" not in path.parts
        and "templates/mail" not in path.as_posix()
        and "tibs_notify" not in path.as_posix()
    ]
    assert guilty == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("services/cases/src/tibs_cases", "import tibs_registry.settings"),
        ("chassis/src/tibs_chassis", "from tibs_matching import settings"),
        ("contracts/src/tibs_contracts", "import tibs_chassis.clock"),
    ],
)
def test_the_walls_refuse_an_import_across(where: str, line: str) -> None:
    intruder = ROOT / where / "_wall_test.py"
    intruder.write_text(line + "\n", encoding="utf-8")
    try:
        run = subprocess.run(
            [Path(sys.executable).parent / "lint-imports", "--no-cache"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        intruder.unlink()
    assert run.returncode != 0
    assert "BROKEN" in run.stdout
    assert "_wall_test" in run.stdout
