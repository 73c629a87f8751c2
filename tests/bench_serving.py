"""The serving benchmark: this service beside six others, in the same run and in turns.

    python -m tests.bench_serving            all of it, some 15 minutes; --help for shorter runs

    seven servers, two workers each -> wrk, in turns, round after round -> medians of the ratios
    this service alone              -> batches, saliency, slow clients, overload, growth, profile

Needs `wrk` (Debian package wrk). The references are installed into .venv-bench/ the first time. Absolute
figures belong to one machine and one hour; ratios travel.
"""

import argparse
import contextlib
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.extras import batch_factor, growth, saliency_cost
from tests.bench.load import Load, measure, need_wrk
from tests.bench.pictures import form, pictures, raw, write_script
from tests.bench.servers import BEFORE, ONE_THREAD, SERVERS, SERVICE, Running, Server, prepare, running
from tests.bench.stress import beside_slow_clients, killed_worker, overload
from tests.serving import PROJECT

FEW, USUAL, MANY = 1, 8, 64  # clients
LARGE = "12 MP JPEG"  # sixty-four at once are more bytes than a worker holds: it would rightly refuse some
RAW = "28x28 PNG, raw body"
README = PROJECT / "README.md"

Round = dict[str, Load]  # by server
Results = dict[tuple[str, int], list[Round]]  # by upload and clients


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement (2)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--clients", type=int, nargs="+", default=[FEW, USUAL, MANY], help="(1 8 64)")
    parser.add_argument("--requests", type=int, default=200_000, help="for the growth; 0 leaves it out")
    parser.add_argument("--servers", nargs="+", metavar="NAME", help="that are compared; all by default")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    return parser.parse_args()


def scripts(folder: Path) -> dict[str, tuple[Path, Path]]:
    """Return by upload the script for the service and the one for the others, which take forms alone."""
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


def median(rounds: list[Round], field: str, name: str = SERVICE) -> float:
    """Return the median over the rounds of one figure of a server."""
    return statistics.median(getattr(each[name], field) for each in rounds)


def comparison(results: Results) -> str:
    """Return the table of ratios; above 1, this service answers more requests a second."""
    others = [name for name in next(iter(results.values()))[0] if name != SERVICE]
    lines = [
        f"| upload | clients | requests/s | p50, ms | p99, ms | {' | '.join(others)} |",
        f"|---|{'---:|' * (4 + len(others))}",
    ]
    for (name, clients), rounds in results.items():
        ratios = [
            statistics.median(each[SERVICE].rate / max(each[other].rate, 0.01) for each in rounds)
            for other in others
        ]
        lines.append(
            f"| {name} | {clients} | {median(rounds, 'rate'):,.0f} | {median(rounds, 'p50'):.1f} "
            f"| {median(rounds, 'p99'):.1f} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |"
        )
    return "\n".join(lines)


def peers(servers: list[Running], results: Results, resting: dict[str, float]) -> str:
    """Return the table of what each server takes beside time."""
    small, clients = max(results, key=lambda case: (case[0] == next(iter(results))[0], case[1] == USUAL))
    lines = [
        "| server | first answer, s | memory at rest, MB | after the load, MB "
        f"| processor time, µs a {small} | busiest worker's share of it |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for server in servers:
        rounds = results[small, clients]
        busiest = max(each[server.name].shares[0] for each in rounds)
        lines.append(
            f"| {server.name} | {server.started:.2f} | {resting[server.name]:.0f} "
            f"| {server.memory_megabytes():.0f} | {median(rounds, 'processor', server.name):,.0f} "
            f"| {100 * busiest:.0f} % |"
        )
    return "\n".join(lines)


def spread(results: Results) -> str:
    """Return how unevenly the two workers of this service shared the work at worst."""
    shares = [
        (each[SERVICE].shares[0], name, clients)
        for (name, clients), rounds in results.items()
        for each in rounds
        if clients > FEW
    ]
    if not shares:
        return "spread over workers: one client, one connection, one worker"
    share, name, clients = max(shares)
    return (
        f"spread over workers: in the most uneven of {len(shares)} runs with several clients the busier "
        f"worker did {100 * share:.0f} % of the work ({name}, {clients} clients)"
    )


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


def write_readme(table: str, readme: Path = README) -> None:
    """Put the rows of the comparison for the usual number of clients where the README has them."""
    head, rows = table.splitlines()[:2], [line for line in table.splitlines() if f"| {USUAL} |" in line]
    text, count = re.subn(
        r"^\| upload \|.*\n\|[-:| ]+\|\n(?:\|.*\n)+",
        lambda _: "\n".join([*head, *rows]) + "\n",
        readme.read_text(),
        flags=re.MULTILINE,
    )
    if count != 1:
        raise SystemExit(f"bench: {readme.name} has {count} tables that begin with 'upload'; 1 is expected")
    readme.write_text(text)


def main() -> None:
    """Print the tables."""
    asked = arguments()
    need_wrk()
    chosen = [server for name, server in SERVERS.items() if name in {SERVICE, *(asked.servers or SERVERS)}]
    prepare(chosen)
    print(f"Two workers each, {asked.rounds} rounds of {asked.seconds} s in turns, medians.")
    print("Under the name of a reference: requests a second of this service, divided by its.\n")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with all_running(chosen) as servers:
            resting = {server.name: server.memory_megabytes() for server in servers}
            results = compare(servers, folder, asked)
            table = comparison(results)
            print(f"{table}\n\n{peers(servers, results, resting)}\n\n{spread(results)}", flush=True)
            service = next(server for server in servers if server.name == SERVICE)
            print(batch_factor(service, folder, asked.seconds, asked.rounds), flush=True)
            print(saliency_cost(service, folder, asked.seconds, asked.rounds), flush=True)
            print(beside_slow_clients(service, folder, 2 * asked.seconds), flush=True)
            print(overload(service, folder, asked.seconds), flush=True)
            print(killed_worker(service), flush=True)
        if asked.requests:
            with running(SERVERS[SERVICE], form(next(iter(pictures().values())))) as service:
                print(growth(service, folder, asked.requests), flush=True)
    print(f"\n{profile()}")
    if asked.readme:
        write_readme(table)


if __name__ == "__main__":
    main()
