"""The image of a sample: its bytes in the tar, and a small JPEG of them."""

import tarfile

from curation.core import storage
from curation.explore.explored_run import Sample
from curation.shards.indexes import read_index


def image_bytes(sample: Sample) -> bytes:
    """Return the image of a sample as it is in the tar, b"" if the tar does not hold it.

    The index beside the tar tells the place; a tar of an older version has none, and is searched.
    """
    uid, extension = sample.row["uid"], sample.row["ext"]
    name = f"{uid}.{extension}"
    try:
        for number, members in enumerate(read_index(sample.tar)):
            if number == sample.place:
                for _, offset, size, found in members:
                    if found == name:
                        with storage.open_input(sample.tar) as file:
                            file.seek(offset)
                            return file.read(size)
    except (FileNotFoundError, ValueError):
        pass
    with storage.open_input(sample.tar) as file, tarfile.open(fileobj=file) as tar:
        for member in tar:
            if member.name == name:
                found_file = tar.extractfile(member)
                return found_file.read() if found_file else b""
    return b""
