"""The measure of a step, and the lines that show it."""

import pytest

from curation.core.meter import BYTES, Meter, Reading, living_parts, plain_line

DOWNLOAD = Reading("download list", "images", 2500, 10_000, 1, 4, {"dns": 900, "http_error": 40, "timeout": 3, "x": 1})


def metered(*samples: tuple[float, Reading]) -> Meter:
    meter = Meter()
    for seconds, reading in samples:
        meter.add(seconds, reading)
    return meter


def line_of(width: int, reading: Reading = DOWNLOAD) -> str:
    first, bar, last = living_parts("download_images", 100, reading, metered((100, reading)), width)
    return "  ".join(filter(None, (first, "#" * bar, last)))


def test_rate_and_time_left_follow_what_has_moved() -> None:
    meter = metered(*((float(second), Reading("", "images", 50 * second, 10_000)) for second in range(1, 101)))
    assert meter.rate == pytest.approx(50)
    assert meter.seconds_left == pytest.approx(100)


def test_a_step_that_goes_on_in_another_unit_is_measured_from_there() -> None:
    images = [(float(second), Reading("", "images", 500, 500)) for second in range(1, 11)]
    tasks = [(10.0 + second, Reading("", "tasks", 4 * second, 64, 4 * second, 64)) for second in range(1, 5)]
    meter = metered(*images, *tasks)
    assert meter.rate == pytest.approx(4)
    assert meter.seconds_left == pytest.approx(12)


def test_a_slower_server_is_seen_within_a_minute() -> None:
    fast = [(float(second), Reading("", "images", 100 * second, 100_000)) for second in range(1, 41)]
    slow = [(40.0 + second, Reading("", "images", 4000 + 10 * second, 100_000)) for second in range(1, 61)]
    assert metered(*fast, *slow).rate == pytest.approx(10, rel=0.05)


def test_without_movement_nothing_is_foretold() -> None:
    meter = metered((1.0, Reading("", "images", 0, 100)), (2.0, Reading("", "images", 0, 100)))
    assert meter.rate is None
    assert meter.seconds_left is None
    assert Meter().seconds_left is None


def test_a_step_that_has_read_all_and_goes_on_has_no_time_left_to_tell() -> None:
    meter = metered((1.0, Reading("", "images", 50, 100)), (2.0, Reading("", "images", 100, 100)))
    assert meter.rate is not None
    assert "left" not in plain_line(2, Reading("", "images", 100, 100), meter)


def test_while_kernels_compile_no_time_left_is_told_and_the_measure_begins_behind_it() -> None:
    compiling = Reading("extract file", BYTES, 4e5, 1e6, 0, 8, note="compiling kernels")
    meter = metered((29.0, Reading("extract file", BYTES, 0, 1e6, 0, 8, note="starting workers")), (59.0, compiling))
    assert (meter.rate, meter.seconds_left) == (None, None)
    assert plain_line(59, compiling, meter) == (
        "0:59, extract file (compiling kernels), 400 kB of 1 MB (40%), 0 of 8 tasks"
    )
    for second in range(1, 5):
        meter.add(59.0 + second, Reading("extract file", BYTES, 4e5 + 1e5 * second, 1e6, 0, 8))
        assert meter.rate == pytest.approx(1e5)
        assert meter.seconds_left == (None if second < 3 else pytest.approx(6 - second))
    # A worker that comes later, and compiles, changes nothing of the pace of the others.
    meter.add(64.0, Reading("extract file", BYTES, 9e5, 1e6, 1, 8, note="compiling kernels"))
    assert meter.seconds_left == pytest.approx(1)


def test_a_step_that_waits_for_another_one_is_measured_from_its_begin() -> None:
    meter = Meter()
    meter.begin(12.0)
    for second in range(13, 17):
        meter.begin(second - 1.0)
        meter.add(float(second), Reading("merge texts", "tasks", second - 12, 20, second - 12, 20))
        assert meter.rate == pytest.approx(1)
    assert meter.seconds_left == pytest.approx(16)


def test_a_pause_longer_than_the_window_takes_the_mean_of_all_time() -> None:
    still = [(float(second), Reading("", "images", 500, 1000)) for second in range(10, 400, 5)]
    assert metered(*still).rate == pytest.approx(500 / 395)


def test_samples_are_bounded() -> None:
    meter = metered(*((float(second), Reading("", "images", second, 1e6)) for second in range(1, 5000)))
    assert len(meter._samples) <= 241
    assert meter.rate == pytest.approx(1)


@pytest.mark.parametrize("width", [1, 5, 12, 19, 20, 40, 79, 99, 120, 199])
def test_a_line_fits_its_terminal(width: int) -> None:
    assert len(line_of(width)) <= max(width, 0)


def test_what_matters_most_stays_on_a_narrow_terminal() -> None:
    assert line_of(19) == " 25%  5:00 left"
    assert line_of(40) == "download_images  1:40   25%  5:00 left"
    assert line_of(79) == "download_images  1:40   25%  2,500/10,000 images  25/s  5:00 left  944 dropped"
    wide = line_of(199)
    assert wide.startswith(f"download_images  1:40   25%  {'#' * 30}  2,500/10,000 images  25/s  5:00 left")
    assert wide.endswith("download list  944 dropped (dns 900, http_error 40, timeout 3, ...)  1 of 4 tasks")


def test_bytes_without_a_total_are_told_with_the_share_of_the_tasks() -> None:
    reading = Reading("extract file", BYTES, 4e9, None, 30, 100)
    assert plain_line(100, reading, metered((100, reading))) == (
        "1:40, extract file, 4 GB (30%), 30 of 100 tasks, 40 MB/s, 3:53 left"
    )


def test_more_than_all_is_all() -> None:
    assert Reading("", "images", 12, 10).share == 1.0
    assert metered((1.0, Reading("", "images", 12, 10))).seconds_left == 0.0


def test_a_note_is_told_rather_than_a_bar() -> None:
    reading = Reading("match texts", "pairs", 5000, 20_000, 1, 8, note="compiling the list of en")
    first, bar, last = living_parts("match_pairs", 10, reading, metered((10, reading)), 79)
    assert (bar, last) == (0, "5,000/20,000 pairs  500/s  0:30 left  1 of 8 tasks")
    first, bar, last = living_parts("match_pairs", 10, reading, metered((10, reading)), 89)
    assert (bar, last) == (0, "5,000/20,000 pairs  500/s  0:30 left  compiling the list of en")
    assert len(f"{first}  {last}") <= 89
    assert plain_line(10, reading, Meter()).startswith("0:10, match texts (compiling the list of en), 5,000 of 20,000")
