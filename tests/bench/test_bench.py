"""The benchmark's arithmetic, tables and JSON, on figures made up; wrk itself runs in `make bench`."""

import json

import pytest

from tests import bench_training
from tests.bench import report
from tests.bench.extras import slope
from tests.bench.load import Load
from tests.bench.servers import SERVERS, SERVICE

OTHERS = [name for name in SERVERS if name != SERVICE]


def results(clients: int = 8, share: float = 0.6, others_share: float = 0.5) -> report.Results:
    """Return two rounds in which every other server is half as fast as this one."""

    def load(name: str) -> Load:
        first = share if name == SERVICE else others_share
        return Load(1000.0 if name == SERVICE else 500.0, 5.0, 9.0, 800.0, [first, 1 - first])

    return {("28x28 PNG", clients): [{name: load(name) for name in SERVERS}] * 2}


def test_table_has_rate_latency_and_ratio_for_each_reference():
    header, _, row = report.comparison(report.compared(results())).splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")][5:] == OTHERS
    assert row == f"| 28x28 PNG | 8 | 1,000 | 5.0 | 9.0 |{' 2.00 |' * len(OTHERS)}"


def test_a_reference_with_one_idle_worker_gets_a_star():
    table = report.comparison(report.compared(results(others_share=0.97)))
    assert table.count("2.00*") == len(OTHERS)


def test_one_client_uses_one_worker_of_every_server():
    assert "*" not in report.comparison(report.compared(results(clients=1, others_share=1.0)))
    assert report.spread(results(clients=1)) is None


def test_the_most_uneven_run_is_reported():
    assert report.spread(results() | results(clients=64, share=0.97)) == {"share": 0.97}


@pytest.mark.parametrize("growth", [0.0, 2.5, -1.0])
def test_growth_is_kilobytes_per_thousand_requests(growth):
    requests = [10_000.0, 50_000.0, 200_000.0]
    assert slope(requests, [90 + growth * count / 1e6 for count in requests]) == pytest.approx(growth)


def test_a_run_replaces_its_own_section(tmp_path):
    file = tmp_path / "benchmarks.json"
    file.write_text('{"serving": {"old": 1}, "training": {"kept": 2}}')
    report.write_section(file, "serving", {"comparison": report.compared(results())})
    document = json.loads(file.read_text())
    assert document["training"] == {"kept": 2}
    assert document["serving"]["comparison"][0]["requests_per_second"] == 1000


def test_the_training_table_is_made_of_seconds():
    seconds = {"ours": 2.0, "PyTorch": 3.0, "scikit-learn": 4.0, "products": 1.0, "with distortion": 3.0}
    (row,) = bench_training.table([bench_training.ratios((800,), 128, 20_000, seconds)]).splitlines()[2:]
    assert row == "| 784-800-10 | 128 | 10,000 | 1.50x | 2.00x of 4.00x | 2.00 of their time | +50 % |"
