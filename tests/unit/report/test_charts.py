"""Labels of the page's charts do not lie on each other."""

from curation.report.charts import cumulative


def test_the_border_of_the_tail_is_named_below_the_highest_line_of_the_axis_where_it_is_at_the_edge() -> None:
    curve = {"entries": [0, 10_000, 21_881], "before": [0, 10_000, 71_862], "after": [0, 5_000, 32_112]}
    language = {"name": "English", "t": 0.18, "matches_before": 71_862, "matches_after": 32_112}
    at_edge, inside = (cumulative({**language, "curve": {**curve, "threshold": at}}).labels for at in (0, 12_000))
    highest = next(label.top for label in at_edge[::-1] if label.text == "60,000")
    assert [label.top for label in at_edge if label.kind.startswith("note")] == [highest]
    assert [label.top for label in inside if label.kind.startswith("note")] == [None]
