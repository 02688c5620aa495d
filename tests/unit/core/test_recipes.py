"""A setting that is added later leaves the ids of finished parts unchanged."""

from dataclasses import dataclass

import pytest

from curation.core.choices import Emails
from curation.core.recipes import Recipe, added, difference, recipe_settings


@dataclass(frozen=True)
class OldRules:
    emails: Emails
    sizes: tuple[int, ...]


@dataclass(frozen=True)
class Rules(OldRules):
    mode: str = added("plain")
    limit: int | None = added(None)


@dataclass(frozen=True)
class OldSettings:
    rules: OldRules
    by_name: dict[str, OldRules]


@dataclass(frozen=True)
class Settings(OldSettings):
    verbose: bool = added(False)


def recipe_id(settings: object) -> str:
    return Recipe("stage", 1, recipe_settings(settings), [{"path": "/a", "id": "1"}]).id


def nested(rules: OldRules) -> OldSettings:
    return OldSettings(rules, {"en": rules})


OLD = OldRules(Emails.mask, (1, 2))
AT_OLD_VALUE = Rules(Emails.mask, (1, 2), "plain", None)


def test_an_added_setting_at_its_old_value_leaves_the_id() -> None:
    assert recipe_settings(AT_OLD_VALUE) == recipe_settings(OLD) == {"emails": "mask", "sizes": [1, 2]}
    assert recipe_id(AT_OLD_VALUE) == recipe_id(OLD)


@pytest.mark.parametrize("change", [("fancy", None), ("plain", 0), ("plain", 3)])
def test_an_added_setting_at_another_value_changes_the_id(change: tuple[str, int | None]) -> None:
    changed = Rules(Emails.mask, (1, 2), *change)
    assert recipe_id(changed) != recipe_id(OLD)
    assert recipe_id(changed) != recipe_id(Rules(Emails.mask, (1, 2), "other", 7))


def test_added_settings_are_left_out_of_nested_dataclasses() -> None:
    settings = Settings(AT_OLD_VALUE, {"en": AT_OLD_VALUE}, verbose=False)
    assert recipe_id(settings) == recipe_id(nested(OLD))
    changed = Rules(Emails.mask, (1, 2), "fancy", None)
    in_dict, in_field = Settings(AT_OLD_VALUE, {"en": changed}, False), Settings(changed, {"en": AT_OLD_VALUE}, False)
    assert len({recipe_id(each) for each in (settings, in_dict, in_field, Settings(OLD, {"en": OLD}, True))}) == 4


def test_an_old_setting_always_counts() -> None:
    assert recipe_id(OldRules(Emails.keep, (1, 2))) != recipe_id(OLD)


def test_the_difference_names_an_added_setting() -> None:
    old = Recipe("stage", 1, recipe_settings(nested(OLD)))
    manifest = {"logic_version": 1, "settings": old.settings}
    changed = recipe_settings(Settings(Rules(Emails.mask, (1, 2), "fancy", None), {"en": OLD}, False))
    assert difference(manifest, Recipe("stage", 1, changed)) == "rules.mode was not given, is fancy"


def test_a_recipe_refuses_a_setting_that_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="must be a plain JSON value, got b'x'"):
        Recipe("stage", 1, {"name": b"x"})


def test_the_id_is_that_of_what_decides_the_rows() -> None:
    moved = [{"path": "/a", "id": "1"}], [{"path": "/b", "id": "1"}], [{"path": "/a", "id": "2"}]
    ids = [Recipe("s", 1, {}, inputs).id for inputs in moved]
    assert ids[0] == ids[1] != ids[2]
    assert Recipe("s", 1, {"t": 20.0}).id != Recipe("s", 1, {"t": 21.0}).id
