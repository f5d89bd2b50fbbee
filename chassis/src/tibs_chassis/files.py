"""Files that an operator changes while services run."""

from pathlib import Path


class Stamp:
    """When a file was last changed, as far as we saw. Asking costs one look at the folder, not at the content."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._now()

    def changed(self) -> bool:
        """Whether it has changed since the last time somebody asked."""
        now = self._now()
        if now == self._seen:
            return False
        self._seen = now
        return True

    def _now(self) -> tuple[int, int, int] | None:
        try:
            held = self._path.stat()
        except OSError:
            return None
        # The number too: files are often replaced by others, which may be as old and as long.
        return held.st_mtime_ns, held.st_size, held.st_ino
