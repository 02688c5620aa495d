"""Measure who imports whom, and hold each import against the table of layers.

`python -m tests.structure` prints the structure of this checkout, `python -m tests.structure FOLDER` that of another
one, for example of an older commit. The last line is JSON.
tests/unit/test_layers.py fails when an import breaks the table `MAY_IMPORT`.
"""

import ast
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # The roots: nothing but an __init__, which finds a folder for compiled kernels.
    "curation": ("curation.core.ownership",),
    "metadata": ("curation",),
    "curation.core": (),
    "conf": ("curation.core.errors", "curation.core.choices", "curation.core.amounts"),
    "curation.sources": ("curation.core",),
    "curation.matching": ("curation.core",),
    "curation.images": ("curation.core",),
    "curation.signals": ("curation.core", "curation.images"),
    "metadata.fetch": ("curation.core",),
    "curation.extraction": ("curation.core", "curation.sources"),
    "curation.balancing": ("curation.core", "curation.matching"),
    "metadata.sources": ("curation.core", "curation.matching"),
    "curation.shards": ("curation.core", "curation.sources", "curation.balancing", "curation.images"),
    "curation.clusters": ("curation.core", "curation.balancing", "curation.shards"),
    "metadata.lists": ("curation.core", "curation.matching", "metadata.sources"),
    "curation.report": (
        "curation.core", "curation.matching", "curation.balancing", "curation.images", "curation.shards",
    ),
    "curation.explore": (
        "curation.core", "curation.matching", "curation.balancing", "curation.images", "curation.shards",
        "curation.report",
    ),
    "curation.spark": (
        "curation.core", "curation.sources", "curation.extraction", "curation.matching", "curation.balancing",
        "curation.images", "curation.shards",
        "curation",  # packing asks the root where the sources lie
        "headtail.names",  # workers find our packages as the driver does
    ),
    "metadata.spark": ("curation.spark", "curation.core", "metadata.lists", "metadata.sources"),
    "headtail": ("conf", "curation.core", "curation.matching", "curation.balancing", "curation.report"),
}  # fmt: skip
"""Package -> the packages (or single modules) of ours that it may import beside itself. No row: the tests fail."""

MAY_IMPORT["jobs"] = tuple(MAY_IMPORT)

ONLY_IN = {
    "pyspark": ("curation.spark", "metadata.spark", "jobs"),
    "py4j": ("curation.spark", "metadata.spark", "jobs"),
    "hydra": ("conf", "jobs"),
    "omegaconf": ("conf", "jobs"),
}
"""Library -> the packages that may import it. A package that may import none of these is pure."""

DIVIDED = ("curation", "metadata")
"""Top-level folders whose subfolders are packages. Elsewhere the top-level folder is the package."""


@dataclass(frozen=True)
class Module:
    """A source file."""

    path: str
    lines: int
    docstring: str

    @property
    def package(self) -> str:
        """The package that the file belongs to."""
        return package_of(self.path)


@dataclass(frozen=True, order=True)
class Import:
    """One name imported in one line: a module of ours where there is one, else the name as written."""

    path: str
    line: int
    importer: str
    target: str


@dataclass(frozen=True)
class Tree:
    """The modules of a checkout by dotted name, and all their imports."""

    modules: Mapping[str, Module]
    imports: tuple[Import, ...]

    @cached_property
    def packages(self) -> dict[str, list[Module]]:
        """The modules of each package."""
        packages: dict[str, list[Module]] = {}
        for module in self.modules.values():
            packages.setdefault(module.package, []).append(module)
        return dict(sorted(packages.items()))

    @cached_property
    def module_graph(self) -> dict[str, set[str]]:
        """Module -> the other modules of ours that it imports."""
        graph: dict[str, set[str]] = {name: set() for name in self.modules}
        for found in self.imports:
            if found.target in graph and found.target != found.importer:
                graph[found.importer].add(found.target)
        return graph

    @cached_property
    def package_arrows(self) -> dict[str, Counter[str]]:
        """Package -> the other packages that it imports, each with the number of imports between their modules."""
        arrows: dict[str, Counter[str]] = {package: Counter() for package in self.packages}
        for importer, targets in self.module_graph.items():
            package = self.modules[importer].package
            arrows[package].update(
                self.modules[target].package for target in targets if self.modules[target].package != package
            )
        return arrows

    @property
    def package_graph(self) -> dict[str, set[str]]:
        """Package -> the other packages that it imports."""
        return {package: set(targets) for package, targets in self.package_arrows.items()}


def package_of(path: str) -> str:
    """Return the package of a file: its folder, but never below the level of packages.

    >>> package_of("curation/sources/wat.py"), package_of("curation/__init__.py"), package_of("conf/schema/base.py")
    ('curation.sources', 'curation', 'conf')
    """
    folders = PurePosixPath(path).parent.parts
    return ".".join(folders[: 2 if folders[0] in DIVIDED else 1])


def is_pure(package: str) -> bool:
    """Whether a package needs neither Spark nor Hydra.

    >>> is_pure("curation.core"), is_pure("curation.spark"), is_pure("conf")
    (True, False, False)
    """
    return not any(package in packages for packages in ONLY_IN.values())


def read_tree(root: Path) -> Tree:
    """Read each module in the top-level packages of `root` except tests, and each import wherever it stands."""
    files: dict[str, Path] = {}
    for top in sorted(init.parent for init in root.glob("*/__init__.py") if init.parent.name != "tests"):
        for file in sorted(top.rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    modules: dict[str, Module] = {}
    imports: set[Import] = set()
    for name, file in files.items():
        path, source = file.relative_to(root).as_posix(), file.read_text("utf-8")
        syntax = ast.parse(source, path)
        modules[name] = Module(path, source.count("\n"), ast.get_docstring(syntax) or "")
        folder = name if file.name == "__init__.py" else name.rpartition(".")[0]
        for line, base, member in _imported(syntax, folder):
            target = f"{base}.{member}" if f"{base}.{member}" in files else base
            imports.add(Import(path, line, name, target))
    return Tree(modules, tuple(sorted(imports)))


def _imported(syntax: ast.Module, folder: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, module and member of each import, "" for the member of `import module`.

    Relative imports start at `folder`, the dotted name of the folder that holds the file.
    """
    for node in _statements(syntax):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom):
            above = folder.split(".")
            start = above[: max(0, len(above) - node.level + 1)] if node.level else []
            base = ".".join([*start, node.module] if node.module else start)
            for alias in node.names:
                yield node.lineno, base, alias.name


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements within a node, wherever they stand; expressions, which are far more, hold none."""
    for block in ("body", "orelse", "finalbody", "handlers", "cases"):
        for inner in getattr(node, block, ()):
            yield inner
            yield from _statements(inner)


def reachable(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return for each node itself and the nodes that a path leads to."""
    reached = {}
    for start in graph:
        seen, open_nodes = {start}, [start]
        while open_nodes:
            new = graph[open_nodes.pop()] - seen
            seen |= new
            open_nodes += new
        reached[start] = seen
    return reached


def cycles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of nodes that reach each other.

    >>> cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}})
    [['b', 'c']]
    """
    reached = reachable(graph)
    groups = {tuple(sorted(other for other in reached[node] if node in reached[other])) for node in graph}
    return sorted(list(group) for group in groups if len(group) > 1)


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return the floor of each node: 1 imports nothing, others lie above all that they import; a cycle shares a floor.

    >>> floors({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'c': 1, 'b': 2, 'a': 3}
    """
    reached = reachable(graph)
    found: dict[str, int] = {}
    for node in sorted(graph, key=lambda node: len(reached[node])):
        found[node] = 1 + max((found[other] for other in reached[node] if node not in reached[other]), default=0)
    return found


def violations(tree: Tree) -> list[str]:
    """Return a line for each import that breaks the table, and for each package without a row."""
    stage = "a new stage is a new package with a row in tests/structure.py"
    found = [
        f"{package.replace('.', '/')}/: {package} has no row: {stage}"
        for package in tree.packages
        if package not in MAY_IMPORT
    ]
    found += [
        f"{module.path} lies in no package: {stage}"
        for name, module in tree.modules.items()
        if module.package in DIVIDED and name not in DIVIDED
    ]
    for each in tree.imports:
        package = tree.modules[each.importer].package
        if package in MAY_IMPORT and (reason := _objection(tree, package, each.target)):
            found.append(f"{each.path}:{each.line} imports {each.target}: {reason}")
    return found


def _objection(tree: Tree, package: str, target: str) -> str | None:
    """Return why a package may not import a module; None if it may."""
    top = target.split(".")[0]
    if top in ONLY_IN:
        return None if package in ONLY_IN[top] else f"only {_enumerate(ONLY_IN[top])} may import {top}"
    if top == "tests":
        return "only tests may import tests"
    if target not in tree.modules:
        return "no such module" if top in tree.packages else None
    allowed = MAY_IMPORT[package]
    if {target, tree.modules[target].package} & {package, *allowed}:
        return None
    return f"{package} may import {_enumerate(allowed)} only" if allowed else f"{package} may import nothing of ours"


def _enumerate(names: tuple[str, ...]) -> str:
    """Join names as a sentence does.

    >>> _enumerate(("a", "b", "c"))
    'a, b and c'
    """
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def measure(tree: Tree) -> dict:
    """Return the numbers of a tree. Modules are all source files, lines are all their lines, blank ones too."""
    arrows = tree.package_arrows
    return {
        "packages": len(tree.packages),
        "modules": len(tree.modules),
        "lines": sum(module.lines for module in tree.modules.values()),
        "module_imports": sum(len(targets) for targets in tree.module_graph.values()),
        "imports_across_packages": sum(targets.total() for targets in arrows.values()),
        "package_arrows": sum(len(targets) for targets in arrows.values()),
        "imports_of_core": sum(targets["curation.core"] for targets in arrows.values()),
        "package_floors": max(floors(tree.package_graph).values()),
        "module_floors": max(floors(tree.module_graph).values()),
        "package_cycles": cycles(tree.package_graph),
        "module_cycles": cycles(tree.module_graph),
        "by_package": {
            package: {"modules": len(modules), "lines": sum(module.lines for module in modules)}
            for package, modules in tree.packages.items()
        },
    }


def print_structure(tree: Tree) -> None:
    """Print the table of packages, the numbers, and all of them again as one line of JSON."""
    level, numbers = floors(tree.package_graph), measure(tree)
    sizes = numbers["by_package"]
    print(f"{'floor':<6} {'package':<20} {'modules':>7} {'lines':>7}  imports (number of imports between modules)")
    for package in sorted(tree.packages, key=lambda package: (-level[package], package)):
        modules, lines = sizes[package].values()
        targets = sorted(tree.package_arrows[package].items())
        listed = ", ".join(f"{target} {count}" for target, count in targets) or "nothing of ours"
        print(f"{level[package]:<6} {package:<20} {modules:>7} {lines:>7,}  {listed}")
    print()
    for name, value in numbers.items():
        if isinstance(value, int):
            print(f"{name.replace('_', ' '):<24} {value:>6,}")
        elif isinstance(value, list):
            groups = "; ".join(" <-> ".join(cycle) for cycle in value)
            print(f"{name.replace('_', ' '):<24} {len(value):>6}  {groups}".rstrip())
    print(json.dumps(numbers))


def main(arguments: list[str]) -> None:
    """Print the structure of a folder, of this checkout if none is given."""
    if len(arguments) > 1 or any(argument.startswith("-") for argument in arguments):
        sys.exit("usage: python -m tests.structure [FOLDER]")
    root = Path(arguments[0]) if arguments else ROOT
    tree = read_tree(root)
    if not tree.modules:
        sys.exit(f"{root} holds no Python package: name the folder of a checkout")
    print_structure(tree)


if __name__ == "__main__":
    main(sys.argv[1:])
