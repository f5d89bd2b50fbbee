"""Fetch the browser assets by lock file and copy what the pages use into ``web/static/vendor``.

Run it with any Python 3.11 or newer; it needs ``npm`` on the path. A second run with nothing changed takes
milliseconds: the digest of everything that decides the result is kept beside the copies.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
VENDOR = HERE.parent / "src" / "tibs_cases" / "web" / "static" / "vendor"
STAMP = ".digest"

#: where it lies in node_modules -> what it is called beside the pages
COPIES = {
    "@tabler/core/dist/css/tabler.min.css": "tabler.css",
    "htmx.org/dist/htmx.min.js": "htmx.js",
    "htmx-ext-sse/dist/sse.min.js": "htmx-sse.js",
    "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
    "@fontsource-variable/inter/files/inter-latin-ext-wght-normal.woff2": "inter-latin-ext.woff2",
    "@fontsource-variable/inter/LICENSE": "inter-LICENSE.txt",
    "@tabler/icons/LICENSE": "tabler-icons-LICENSE.txt",
}


def digest() -> str:
    """What the result depends on: the lock, the list of icons, this script."""
    held = hashlib.sha256()
    for name in ("package-lock.json", "icons.txt", "build.py"):
        held.update((HERE / name).read_bytes())
    return held.hexdigest()


def icon_names() -> list[str]:
    return [line.strip() for line in (HERE / "icons.txt").read_text().splitlines() if line.strip()]


def symbol(name: str) -> str:
    """One icon as a sprite symbol; strokes and fill come from the style sheet, so that colour follows the text."""
    filled = name.endswith("-filled")
    folder, stem = ("filled", name.removesuffix("-filled")) if filled else ("outline", name)
    svg = (MODULES / "@tabler/icons/icons" / folder / f"{stem}.svg").read_text()
    body = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
    if body is None:
        raise SystemExit(f"The icon {name!r} holds no drawing.")
    shapes = re.findall(r"<(?:path|circle|rect|line)[^>]*/>", body[1])
    paths = [shape for shape in shapes if "M0 0h24v24H0z" not in shape]
    paint = 'fill="currentColor" stroke="none"' if filled else 'fill="none" stroke="currentColor"'
    return (
        f'<symbol id="{name}" viewBox="0 0 24 24" {paint} stroke-width="1.75" stroke-linecap="round" '
        f'stroke-linejoin="round">{"".join(paths)}</symbol>'
    )


def fetch() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm was not found. Install Node.js 20 or newer (Debian: apt-get install nodejs npm).")
    subprocess.run(
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=HERE,
        check=True,
        env={**os.environ, "npm_config_update_notifier": "false"},
    )


def build() -> bool:
    """Bring the copies up to date; whether anything had to be done."""
    wanted = digest()
    stamp = VENDOR / STAMP
    names = [*COPIES.values(), "icons.svg"]
    if stamp.is_file() and stamp.read_text() == wanted and all((VENDOR / name).is_file() for name in names):
        return False
    fetch()
    VENDOR.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    for source, name in COPIES.items():
        held = (MODULES / source).read_bytes()
        if name.endswith((".css", ".js")):
            # The maps are not served: a reference to them would be a 404 in every open console.
            held = re.sub(rb"(?:/\*|//)# sourceMappingURL=\S+(?: \*/)?\s*$", b"", held)
        (VENDOR / name).write_bytes(held)
    sprite = "\n".join(symbol(name) for name in icon_names())
    (VENDOR / "icons.svg").write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{sprite}\n</svg>\n')
    stamp.write_text(wanted)
    return True


if __name__ == "__main__":
    changed = build()
    sys.stdout.write(f"Browser assets in {VENDOR.name}/: {'copied' if changed else 'up to date'}.\n")
