"""Packages of somebody else with the names of ours: each form in which Python finds one. To import one is an error."""

from pathlib import Path

NAMES = ("conf", "curation", "jobs", "metadata")
FORMS = ("package", "module", "namespace")


def foreign_packages(folder: Path, first_form: int = 0) -> Path:
    """Write one package of each name into a folder; `first_form` is the index of the form of `conf`."""
    for number, name in enumerate(NAMES):
        source = f"raise RuntimeError('a foreign package was imported: {name}')\n"
        match FORMS[(first_form + number) % len(FORMS)]:
            case "package":
                (folder / name).mkdir(parents=True)
                (folder / name / "__init__.py").write_text(source)
            case "module":
                folder.mkdir(parents=True, exist_ok=True)
                (folder / f"{name}.py").write_text(source)
            case "namespace":
                (folder / name).mkdir(parents=True)
                (folder / name / "schema.py").write_text(source)
    return folder
