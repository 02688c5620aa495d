"""The examples of docs/api.md give what the page shows."""

import doctest
import re

import pytest

from tests.conftest import ROOT

PAGE = ROOT / "docs" / "api.md"


def test_the_examples_of_the_page() -> None:
    text = PAGE.read_text("utf-8")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if block.startswith(">>>")]
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, PAGE.name, str(PAGE), 0)
    assert len(examples.examples) > 10
    told: list[str] = []
    if doctest.DocTestRunner().run(examples, out=told.append).failed:
        pytest.fail("".join(told), pytrace=False)
