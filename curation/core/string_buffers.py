"""Arrow string arrays as flat buffers, for kernels."""

import numpy as np
import pyarrow as pa


def buffers_of(array: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets (int32, rows + 1, absolute) and the bytes (uint8) of a string array, without a copy.

    A null has two equal offsets in arrays made by Arrow or by `string_array`.
    """
    if not pa.types.is_string(array.type):
        raise TypeError(f"expected a string array, got {array.type}")
    _, offsets, data = array.buffers()
    if len(array) == 0 or offsets is None:
        return np.zeros(1, np.int32), np.zeros(0, np.uint8)
    rows = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    return rows, np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)


def string_array(offsets: np.ndarray, data: np.ndarray, valid: np.ndarray | None = None) -> pa.Array:
    """Return the string array of offsets (int32, from 0) and bytes, without a copy; invalid UTF-8 becomes U+FFFD.

    `valid` holds one bool per row; a row with False becomes null.
    """
    rows = len(offsets) - 1
    bits = None if valid is None or valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    buffers = [bits, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]])]
    array = pa.Array.from_buffers(pa.string(), rows, buffers)
    try:
        array.validate(full=True)
    except pa.ArrowInvalid:
        raw = pa.Array.from_buffers(pa.binary(), rows, buffers).to_pylist()
        return pa.array([None if value is None else value.decode("utf-8", "replace") for value in raw], pa.string())
    return array
