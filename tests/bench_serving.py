"""The serving benchmark: this service beside others, in the same run and in turns.

    python -m tests.bench_serving            all of it, some 15 minutes; --help for shorter runs
    python -m tests.bench_serving --json docs/benchmarks.json && python -m docs

    the servers, two workers each   -> wrk, in turns, round after round -> medians of the ratios
    this service by itself          -> batches, saliency, slow clients, overload, growth, profile

Needs `wrk` (Debian package wrk). The references are installed into .venv-bench/ the first time. Absolute
figures belong to one machine and one hour; ratios travel.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import report
from tests.bench.extras import batch_factor, growth, saliency_cost
from tests.bench.load import measure, need_wrk
from tests.bench.pictures import form, pictures, raw, write_script
from tests.bench.report import FEW, USUAL, Results, Section
from tests.bench.servers import BEFORE, ONE_THREAD, SERVERS, SERVICE, Running, Server, prepare, running
from tests.bench.stress import beside_slow_clients, killed_worker, overload
from tests.serving import PROJECT

MANY = 64  # clients
LARGE = "12 MP JPEG"  # sixty-four at once are more bytes than a worker holds: it would rightly refuse some
RAW = "28x28 PNG, raw body"


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (2)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--clients", type=int, nargs="+", default=[FEW, USUAL, MANY], help="(1 8 64)")
    parser.add_argument("--requests", type=int, default=200_000, help="for the growth; 0 leaves it out")
    parser.add_argument("--servers", nargs="+", metavar="NAME", help="that are compared; all by default")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures into FILE as well")
    return parser.parse_args()


def scripts(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return by upload the script for the service and the one for the others, which take only forms."""
    found = {}
    for number, (name, image) in enumerate(pictures().items()):
        as_form = write_script(folder / f"form{number}.lua", form(image))
        found[name] = (as_form, as_form)
        if number == 0:
            found[RAW] = (write_script(folder / "raw.lua", raw(image)), as_form)
    return found


def compare(servers: list[Running], folder: Path, asked: argparse.Namespace) -> Results:
    """Measure all servers in turns, with every upload and number of clients."""
    results: Results = {}
    for name, (ours, theirs) in scripts(folder).items():
        for clients in asked.clients:
            if name == LARGE and clients > USUAL:
                continue
            results[name, clients] = [
                {
                    server.name: measure(
                        server, ours if server.name in (SERVICE, BEFORE) else theirs, clients, asked.seconds
                    )
                    for server in servers
                }
                for _ in range(asked.rounds)
            ]
    return results


@contextlib.contextmanager
def all_running(servers: list[Server]) -> Iterator[list[Running]]:
    """Start servers, one after the other."""
    body = form(next(iter(pictures().values())))
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(running(server, body)) for server in servers]


def profile() -> str:
    """Return the table of one request's stages, made in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.profile"]
    environment = {"PATH": "/usr/bin:/bin", **ONE_THREAD}
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def measured(chosen: list[Server], folder: Path, asked: argparse.Namespace) -> Section:
    """Measure everything, print it as it comes, and return it."""
    section: Section = {**report.machine(), "seconds": asked.seconds, "rounds": asked.rounds}
    figures: dict[str, Section] = {}

    def note(name: str, values: Section | None) -> None:
        if values:
            figures[name] = values
            print(report.SENTENCES[name].format(**values), flush=True)

    with all_running(chosen) as servers:
        resting = {server.name: server.memory_megabytes() for server in servers}
        results = compare(servers, folder, asked)
        section["comparison"] = report.compared(results)
        section["resources"] = report.used(servers, results, resting)
        print(report.comparison(section["comparison"]), report.resources(section["resources"]), sep="\n\n")
        service = next(server for server in servers if server.name == SERVICE)
        note("spread", report.spread(results))
        note("batch", batch_factor(service, folder, asked.seconds, asked.rounds))
        note("saliency", saliency_cost(service, folder, asked.seconds, asked.rounds))
        note("slow_clients", beside_slow_clients(service, folder, 2 * asked.seconds))
        note("overload", overload(service, folder, asked.seconds))
        note("killed_worker", killed_worker(service))
    if asked.requests:
        with running(SERVERS[SERVICE], form(next(iter(pictures().values())))) as service:
            note("growth", growth(service, folder, asked.requests))
    return section | {"figures": figures}


def main() -> None:
    """Print the tables; with --json, keep their figures."""
    asked = arguments()
    need_wrk()
    chosen = [server for name, server in SERVERS.items() if name in {SERVICE, *(asked.servers or SERVERS)}]
    prepare(chosen)
    print(f"Two workers each, {asked.rounds} rounds of {asked.seconds} s in turns, medians.")
    print("Under the name of a reference: requests a second of this service, divided by its.\n")
    with tempfile.TemporaryDirectory() as temporary:
        section = measured(chosen, Path(temporary), asked)
    if asked.json:
        report.write_section(asked.json, "serving", section)
    print(f"\n{profile()}")


if __name__ == "__main__":
    main()
