"""The port of the sample's image host: free, or by which process it is taken."""

import os
import socket
from contextlib import suppress
from glob import glob
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.progress import say

LISTENS, MAX_COMMAND = "0A", 60
_ADDRESSES = ("0100007F", "00000000", "00000000000000000000000000000000")
"""Addresses of the kernel's table that keep a port of 127.0.0.1: itself, and all of IPv4 or IPv6."""


def free_port(wanted: int = 0) -> int:
    """Return a port of 127.0.0.1 if it is free, else another one that is; 0: any."""
    for port in (wanted, 0):
        with suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise HeadtailError("no port of 127.0.0.1 is free")


def holder(port: int) -> str:
    """Return which process listens at a port, as `process 12 (python -m http.server)`; empty where nobody tells."""
    sockets = {f"socket:[{inode}]" for table in ("tcp", "tcp6") for inode in _listening(port, table)}
    for handle in glob("/proc/[0-9]*/fd/*") if sockets else ():
        with suppress(OSError):  # a process of another user, or one that has ended
            if os.readlink(handle) in sockets:
                process = handle.split("/")[2]
                command = Path("/proc", process, "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                shown = "".join(sign if sign.isprintable() else "?" for sign in command.strip())
                return f"process {process} ({shown[:MAX_COMMAND]}{'...' if len(shown) > MAX_COMMAND else ''})"
    return ""


def _listening(port: int, table: str) -> list[str]:
    """Return the inodes of the sockets that listen at a port, of a table of Linux."""
    try:
        lines = Path("/proc/net", table).read_text().splitlines()[1:]
    except OSError:  # another system
        return []
    rows = [line.split() for line in lines]
    taken = {f"{address}:{port:04X}" for address in _ADDRESSES}
    return [row[9] for row in rows if len(row) > 9 and row[1] in taken and row[3] == LISTENS]


def sample_port(wanted: int, output: Path) -> int:
    """Return the port with which a sample crawl is made: the wanted one, or one that is free.

    The addresses of the images hold the port, and so does a run of them. Raises HeadtailError where the run in
    `output` needs a port that another program has.
    """
    port = free_port(wanted)
    if port == wanted:
        return port
    by = f" by {found}" if (found := holder(wanted)) else ""
    if output.exists() and any(output.iterdir()):
        raise HeadtailError(
            f"port {wanted} of 127.0.0.1 is used{by}, and the addresses of the images in {output} hold it: "
            f"end that program; or delete {output}, and the sample is made again with a free port"
        )
    say("sample", f"port {wanted} of 127.0.0.1 is used{by}: its images are served at port {port}")
    return port
