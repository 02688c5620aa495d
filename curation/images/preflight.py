"""Checks at the start of a download: who fetches, whether host names resolve, and whether the first lists succeed."""

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from socket import SOCK_STREAM, getaddrinfo
from urllib.parse import urlsplit

from curation.core.addresses import is_literal
from curation.core.amounts import counted
from curation.core.backslashes import with_slashes
from curation.core.choices import Obey
from curation.core.errors import HeadtailError
from curation.core.host_names import ascii_host, host_of_parts
from curation.core.parts import Part
from curation.core.receipts import Receipt, merge_receipts
from curation.core.schemas import LISTS, STORED
from curation.core.table_reader import read_rows
from curation.images.fetch import RETRIED_LATER
from curation.images.lookups import Lookups

CONTACT_IMAGES = 1_000_000
"""From so many images on, operators notice the requests and want to know whom to write to."""
MAX_NAMES = 64
NAME_SECONDS = 10.0
"""Time for all names, which are looked up at once; a name that takes longer counts as one that does not resolve."""
SLOW_MILLISECONDS = 300
MAX_FAILED_SHARE = 0.3
"""About a tenth of the hosts in alt-text collections no longer exist; more failures are the name server's fault."""
MIN_JUDGED = 20
"""Fewer images may all fail by chance."""
ADVICE = {
    "dns": "host names do not resolve: run a caching resolver (unbound, knot-resolver) on every machine, or lower "
    "download.threads",
    "timeout": "hosts do not answer in time: lower download.threads or raise download.timeout_seconds",
    "connection": "connections fail: check that the machines can reach the internet, or lower download.threads",
    "private_address": "host names lead to private networks: name the permitted ones in urls.allow_private_hosts",
    "busy": "hosts are busy or limit requests: lower download.connections_per_host, and run again later with "
    "download.retry_failed=true",
    "opted_out": "hosts forbid the use with a directive of download.opt_out",
    **{way.value: f"hosts forbid the use, and download.obey names {way.value}" for way in Obey},
}
OTHER_ADVICE = "see download_status for the errors"


@dataclass(frozen=True)
class CheckNamesTask:
    """A download list whose host names are resolved."""

    list_path: str


def check_contact(images: int, contact: str) -> None:
    """Raise HeadtailError if many images are to be fetched and no operator could find out by whom."""
    if images >= CONTACT_IMAGES and not contact:
        raise HeadtailError(
            f"{images:,} images are fetched from the servers of others: set download.contact to an e-mail address or a "
            "URL of yours, so that operators can write to you instead of blocking you; it is sent in the User-Agent "
            f"header (needed from {CONTACT_IMAGES:,} images on)"
        )


def check_names(task: CheckNamesTask, threads: int, detect_outage: bool = False) -> Receipt:
    """Resolve up to 64 host names of a download list, within NAME_SECONDS.

    As in its download of `threads` threads, a name that hangs holds up no other: several look-ups a thread may be open.
    Facts of the receipt: names, failed, milliseconds (the median time of one name). With `detect_outage`, raises
    HeadtailError if none of MIN_JUDGED or more names resolves, so that Spark asks another machine, if there is one.
    """
    listed = read_rows(task.list_path, LISTS, ["url", "image_file"], STORED.names)
    rows = listed.slice(0, 20 * MAX_NAMES).to_pylist()
    found = {_name(row["url"]) for row in rows if not row.get("image_file")}
    names = sorted(name for name in found if name)[:MAX_NAMES]
    receipt = Receipt(f"names of {task.list_path}")
    if names:
        lookups: Lookups[bool] = Lookups(threads)
        until = time.monotonic() + NAME_SECONDS
        with ThreadPoolExecutor(len(names)) as pool:
            results = list(pool.map(partial(_resolve, lookups, until), names))
        if detect_outage and len(names) >= MIN_JUDGED and not any(found for found, _ in results):
            raise HeadtailError(
                f"none of the {len(names)} host names of the first download list resolves, such as {names[0]}: this "
                "machine seems to be cut off from the network, or its name server does not answer; "
                "download.min_success_share=0 goes on all the same"
            )
        receipt.facts["names"] = len(results)
        receipt.facts["failed"] = sum(not found for found, _ in results)
        receipt.facts["milliseconds"] = round(1000 * statistics.median(seconds for _, seconds in results))
    return receipt


def _name(url: str) -> str | None:
    try:
        name = ascii_host(host_of_parts(urlsplit(with_slashes(url))))
    except ValueError:
        return None
    return name if "." in name and not is_literal(name) else None


def _resolve(lookups: Lookups[bool], until: float, name: str) -> tuple[bool, float]:
    start = time.monotonic()
    try:
        found = lookups.find(name, lambda: bool(getaddrinfo(name, None, type=SOCK_STREAM)), until)
    except (OSError, UnicodeError):  # a TimeoutError is an OSError
        found = False
    return found, time.monotonic() - start


def name_advice(receipt: Receipt) -> str | None:
    """Return a line of advice if the name server will be the bottleneck, else None."""
    names, failed, milliseconds = (receipt.facts[key] for key in ("names", "failed", "milliseconds"))
    slow = milliseconds > SLOW_MILLISECONDS
    if not names or not (slow or failed / names > MAX_FAILED_SHARE):
        return None
    if failed == names:
        return f"none of the {names} host names asked for resolves: is this machine offline?"
    return (
        f"DNS will be the bottleneck: of {names} names {failed} did not resolve, the median took {milliseconds} ms; "
        "run a caching resolver (unbound, knot-resolver) on every machine, or lower download.threads"
    )


def judged_receipt(first: Sequence[Receipt], earlier: Sequence[Part], retry_failed: bool) -> Receipt:
    """Return the account of the first download lists, by which `check_success` judges a run.

    If fewer than MIN_JUDGED images are new, the parts of earlier runs count, too: a run that stopped because of its
    failures must not pass because no image is left to fetch. With `retry_failed` the failures of earlier runs do not
    count, since they are the images that are fetched.
    """
    judged = merge_receipts("first lists", first)
    if judged.rows_in >= MIN_JUDGED or retry_failed:
        return judged
    return merge_receipts("first lists", [*(part.receipt for part in earlier), judged])


def check_success(receipt: Receipt, min_share: float) -> None:
    """Raise HeadtailError with advice if too few of the first images arrived; fewer than MIN_JUDGED always pass."""
    if receipt.rows_in < MIN_JUDGED or receipt.rows_out >= min_share * receipt.rows_in:
        return
    reason, count = receipt.drops.most_common(1)[0]
    again = ", download.retry_failed=true fetches the failed ones again" if reason in RETRIED_LATER else ""
    raise HeadtailError(
        f"{receipt.rows_out:,} of the first {counted(receipt.rows_in, 'images')} arrived, less than "
        f"download.min_success_share={min_share}; {count:,} failed by {reason}: {ADVICE.get(reason, OTHER_ADVICE)}. "
        f"The images that arrived are kept{again}; set download.min_success_share=0 to continue anyway"
    )
