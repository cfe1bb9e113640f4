"""A tag that comes twice is found however far apart the two are, and nothing is left on the disk."""

import hashlib
from pathlib import Path

from consent.tag_list import TagList


def test_a_tag_that_comes_again_is_found_across_what_was_written_away():
    tags = TagList()
    for number in range(60_000):
        tags.add(hashlib.sha256(str(number).encode()).digest(), number)
    folder = Path(tags._folder.name)
    assert list(folder.iterdir())
    for number, of in ((60_000, 3), (60_001, 59_999), (60_002, 3)):
        tags.add(hashlib.sha256(str(of).encode()).digest(), number)
    assert sorted(tags.repeated()) == [60_000, 60_001, 60_002]
    tags.close()
    tags.close()
    assert not folder.exists()


def test_a_few_tags_need_no_disk():
    tags = TagList()
    tags.add(bytes(32), 0)
    tags.add(b"\x01" * 32, 1)
    assert list(tags.repeated()) == []
    assert tags._folder is None
