"""Packed bytes as servers and crawlers make them: content codings, and zstd frames with a dictionary."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Sequence

import pyarrow as pa
from fastwarc.stream_io import ZstdWriter, zstd_train_dictionary_from_samples


def raw_deflate(data: bytes) -> bytes:
    """Return the data deflated, without the wrapper of zlib."""
    deflater = zlib.compressobj(wbits=-15)
    return deflater.compress(data) + deflater.flush()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "deflate": zlib.compress,
    "raw": raw_deflate,
    "br": lambda data: pa.compress(data, codec="brotli", asbytes=True),
    "zstd": lambda data: pa.compress(data, codec="zstd", asbytes=True),
}
"""By coding; `raw` is deflate without its wrapper."""


def packed(data: bytes, *codings: str) -> bytes:
    """Return the data packed by one coding after the other."""
    for coding in codings:
        data = PACK[coding](data)
    return data


class _Kept(io.BytesIO):
    """Keeps its bytes when the writer closes it."""

    def close(self) -> None: ...


def zstd_frame(data: bytes, dictionary: bytes | None = None) -> bytes:
    """Return one frame, made with a dictionary, which is not in it."""
    out = _Kept()
    writer = ZstdWriter(out, fsspec_args=False, dictionary=dictionary)
    writer.write(data)
    writer.close()
    return out.getvalue()[len(skippable(dictionary)) if dictionary else 0 :]


def skippable(content: bytes, number: int = 13) -> bytes:
    """Return a skippable frame; number 13 holds a dictionary."""
    return struct.pack("<II", 0x184D2A50 + number, len(content)) + content


def trained_dictionary(samples: Sequence[bytes], size: int = 4096) -> bytes:
    """Return a dictionary for data like the samples; a few samples are repeated."""
    repeated = [sample + b"%d" % number for number in range(1 + 200 // len(samples)) for sample in samples]
    return zstd_train_dictionary_from_samples(repeated, size)
