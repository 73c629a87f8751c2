"""The benchmark's arithmetic and its tables, on figures made up; wrk itself runs in `make bench`."""

import pytest

from tests import bench_serving
from tests.bench.extras import slope
from tests.bench.load import Load
from tests.bench.servers import SERVERS, SERVICE


def results(clients: int = 8, share: float = 0.6) -> bench_serving.Results:
    """Return two rounds in which every other server is half as fast as this one."""

    def load(name: str) -> Load:
        return Load(1000.0 if name == SERVICE else 500.0, 5.0, 9.0, 800.0, [share, 1 - share])

    return {("28x28 PNG", clients): [{name: load(name) for name in SERVERS}] * 2}


def test_the_table_has_rate_latency_and_a_ratio_for_each_reference():
    header, _, row = bench_serving.comparison(results()).splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")][5:] == [
        name for name in SERVERS if name != SERVICE
    ]
    assert row == f"| 28x28 PNG | 8 | 1,000 | 5.0 | 9.0 |{' 2.00 |' * (len(SERVERS) - 1)}"


def test_the_most_uneven_run_is_told():
    assert "the busier worker did 97 %" in bench_serving.spread(results(share=0.97))


@pytest.mark.parametrize("growth", [0.0, 2.5, -1.0])
def test_growth_is_told_in_kilobytes_for_each_thousand_requests(growth):
    requests = [10_000.0, 50_000.0, 200_000.0]
    assert slope(requests, [90 + growth * count / 1e6 for count in requests]) == pytest.approx(growth)


def test_the_readme_gets_the_rows_of_eight_clients_and_keeps_the_rest(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n\n| upload | old |\n|---|---:|\n| a | 1 |\n\nafter\n")
    table = bench_serving.comparison(results() | results(clients=64))
    bench_serving.write_readme(table, readme)
    lines = readme.read_text().splitlines()
    assert lines == ["before", "", *table.splitlines()[:3], "", "after"]


def test_the_readme_has_exactly_one_table_to_replace(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(bench_serving.README.read_text())
    bench_serving.write_readme(bench_serving.comparison(results()), readme)
    readme.write_text("nothing")
    with pytest.raises(SystemExit, match="0 tables"):
        bench_serving.write_readme("| upload |", readme)
