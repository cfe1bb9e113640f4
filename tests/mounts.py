"""A folder that is on another device than the one it stands in."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def mount(folder: Path) -> Iterator[None]:
    """Make an empty folder a mount of its own: a tmpfs where we may mount, else a link into the memory's file system."""
    folder.mkdir(parents=True)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"semel-test", os.fsencode(folder), b"tmpfs", 0, b"size=4m") == 0:
        yield
        assert libc.umount2(os.fsencode(folder), 2) == 0
        return
    elsewhere = Path(tempfile.mkdtemp(dir="/dev/shm"))
    folder.rmdir()
    folder.symlink_to(elsewhere, target_is_directory=True)
    yield
    shutil.rmtree(elsewhere)
