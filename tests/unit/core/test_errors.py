"""Faults of a machine's storage: the path and the fault, and the machine only where it may be another one."""

import errno

import pytest

from curation.core.errors import HeadtailError, faults_as_lines, host_name


@pytest.mark.parametrize(("elsewhere", "begin"), [(False, ""), (True, f"{host_name()}: ")])
def test_only_a_fault_elsewhere_names_the_machine(elsewhere: bool, begin: str) -> None:
    with pytest.raises(HeadtailError) as error, faults_as_lines(elsewhere):
        raise OSError(errno.ENOSPC, "No space left on device", "/disk/a")
    assert str(error.value) == f"{begin}/disk/a: No space left on device"
