"""The jars of the embedded Kafka: resolved once by Maven, whole or not at all, shared by everything in this tree."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from tibs_devstack.parts.base import MissingPart, Say
from tibs_devstack.places import DEVSTACK, jars_folder
from tibs_devstack.process import FolderLock

POM = DEVSTACK / "pom.xml"
_LEAST_JAVA = 17


def java() -> str:
    """The `java` command, 17 or newer; MissingPart says why not."""
    home = os.environ.get("JAVA_HOME")
    command = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if command is None:
        raise MissingPart("there is no `java` command")
    told = subprocess.run([command, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < _LEAST_JAVA:
        held = found[1] if found else told.stderr.strip()[:80]
        raise MissingPart(f"`{command}` is Java {held}, Kafka 4 needs {_LEAST_JAVA} or newer")
    return command


def pinned_version() -> str:
    found = re.search(r"<kafka.version>([^<]+)<", POM.read_text(encoding="utf-8"))
    if found is None:
        raise MissingPart(f"{POM} names no kafka.version")
    return found[1]


def classpath(say: Say) -> str:
    """The class path of broker and MirrorMaker, resolved by Maven when it is not there yet."""
    folder = jars_folder()
    # Named by version and finished by a rename, so that a half-resolved folder is never taken for a whole one.
    complete = folder / pinned_version()
    if not complete.exists():
        lock = FolderLock(folder / ".lock")
        lock.acquire(wait=True)
        try:
            if not complete.exists():
                _resolve(complete, say)
        finally:
            lock.release()
    return f"{complete}/*"


def _resolve(complete: Path, say: Say) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPart("the jars of Kafka are not there and there is no `mvn` command to fetch them")
    say(f"Kafka: fetching the jars of {complete.name} by Maven, once")
    unfinished = complete.with_name(f".{complete.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    run = subprocess.run(
        [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0 or not list(unfinished.glob("kafka-clients-*.jar")):
        shutil.rmtree(unfinished, ignore_errors=True)
        raise MissingPart(f"Maven could not fetch the jars of Kafka: {(run.stdout + run.stderr).strip()[-600:]}")
    unfinished.rename(complete)
