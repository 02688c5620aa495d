"""Finds headtail's packages where others have the same names, as `conf`, `jobs` and `metadata` often are.

`claim` makes Python look for these names in one folder, headtail's own, before it looks anywhere else. This module
imports the standard library only, as long as it is not certain what the name of another module means.
"""

import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

PACKAGES = ("conf", "curation", "headtail", "jobs", "metadata")
MARK = "# A package of headtail (headtail/names.py)."
"""The line in the `__init__.py` of the others that tells our package from another one that was installed over it."""

HOME = "HEADTAIL_HOME"
"""The environment variable that leads the workers on the driver's machine to the driver's packages."""


class NamesError(ImportError):
    """Another package stands in the way of one of ours. The message is one line, as of a HeadtailError."""


class OwnPackages:
    """A finder of `sys.meta_path` that finds headtail's packages in the folder (or zip file) `home` only."""

    def __init__(self, home: str) -> None:
        self.home = home

    def find_spec(
        self, name: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a package of ours, None for all other names."""
        return PathFinder.find_spec(name, [self.home]) if name in PACKAGES else None


def own_home() -> str:
    """Return the folder or zip file that holds this package and the others."""
    return os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def worker_variables(local: bool) -> dict[str, str]:
    """Return the environment in which workers of Spark find headtail (headtail/daemon.py), `local` on this machine.

    Python would look for modules in the working folder first. That is kept out, unless headtail itself lies there.
    """
    home = own_home()
    here = local and os.path.realpath(home) == os.path.realpath(os.curdir)
    return ({HOME: home} if local else {}) | ({} if here else {"PYTHONSAFEPATH": "1"})


def claim(home: str) -> None:
    """Let the names of our packages mean those in `home`, in this process.

    Raises NamesError if one of them is missing there, is another package, or if another package has been imported
    under its name: that one is in use.
    """
    if fault := _fault(home):
        raise NamesError(fault)
    finder = OwnPackages(home)
    for name in PACKAGES:
        if (module := sys.modules.get(name)) and (place := _place(module)) != _place(finder.find_spec(name)):
            raise NamesError(
                f"another package {name}, {place}, was imported before headtail's: find out what imports it when "
                "Python starts (sitecustomize.py, a .pth file), and run headtail in an environment without that"
            )
    if not any(getattr(each, "home", None) == home for each in sys.meta_path):
        sys.meta_path.insert(0, finder)


def _fault(home: str) -> str | None:
    """Return why `home` does not hold all packages of headtail, None if it does."""
    for name in PACKAGES:
        spec = PathFinder.find_spec(name, [home])
        if spec is None or spec.loader is None or not spec.submodule_search_locations or not spec.origin:
            return f"{os.path.join(home, name)} is no package of headtail's: install headtail again"
        source = spec.loader.get_source(name) if hasattr(spec.loader, "get_source") else None
        if source is not None and name != "headtail" and MARK not in source:
            return (
                f"{spec.origin} is not headtail's, another package {name} was installed over it: install headtail in "
                "an environment of its own"
            )
    return None


def _place(found: ModuleType | ModuleSpec | None) -> str:
    """Return the folder of a package, or the file of a module."""
    spec = getattr(found, "__spec__", found)
    places = list(getattr(found, "__path__", None) or getattr(spec, "submodule_search_locations", None) or [])
    places.append(getattr(found, "__file__", None) or getattr(spec, "origin", None) or "an unknown place")
    return os.path.realpath(places[0]) if os.sep in places[0] else places[0]
