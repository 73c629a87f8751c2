"""What a benchmark found, as plain JSON, and the same in Markdown.

rounds of measurements -> sections of docs/benchmarks.json -> tables and sentences
                                                              printed, and in the documents (`python -m docs`)
"""

import datetime
import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

from service import __version__
from tests.bench.load import Load
from tests.bench.servers import SERVICE, Running
from tests.serving import PROJECT

FEW, USUAL = 1, 8  # clients
UNEVEN = 0.9  # of the work on one of two workers: that server had one worker in effect

Round = dict[str, Load]  # by server
Results = dict[tuple[str, int], list[Round]]  # by upload and clients
Section = dict[str, Any]

# A sentence for each figure that compares no servers; `figures` of a section holds the values.
SENTENCES = {
    "batch": "Batches of {images} answer {images_per_second:,.0f} images/s, {factor:.1f} times as many as "
    "single requests.",
    "saliency": "An explanation adds {milliseconds:.2f} ms to an answer (p50, one client).",
    "slow_clients": "Beside {slow_clients} slow clients, a normal client waits {p50_ms:.1f} ms (p50) and "
    "{p99_ms:.1f} ms (p99); without them, {alone_p50_ms:.1f} and {alone_p99_ms:.1f} ms.",
    "overload": "With {clients} clients at once, {answered_per_second:,.0f} requests/s are answered, "
    "{share_of_capacity:.2f} times the rate with 8 clients (p99 {answered_p99_ms:,.0f} ms), and "
    "{refused_per_second:,.0f}/s are refused. "
    "The service recovers {recovery_seconds:.2f} s after the load ends.",
    "killed_worker": "After a worker is killed with SIGKILL, the next one runs {forked_seconds:.2f} s later.",
    "growth": "Over {requests:,.0f} requests, memory (PSS, all processes) goes from {first_megabytes:.1f} to "
    "{last_megabytes:.1f} MB.",
    "spread": "With several clients, the busier worker does at most {share:.0%} of the work.",
}


def machine() -> Section:
    """Return what a figure must be read with: version, commit, date, processor, cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    git = ["git", "describe", "--always", "--dirty"]
    commit = subprocess.run(git, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "version": __version__,
        "commit": commit or "unknown",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "processor": names[0] if names else "unknown",
        "cores": os.cpu_count(),
    }


def write_section(file: Path, name: str, section: Section) -> None:
    """Put a section into a JSON file and keep its others."""
    document = json.loads(file.read_text()) if file.exists() else {}
    document[name] = section
    file.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")


def median(rounds: list[Round], field: str, name: str = SERVICE) -> float:
    """Return the median over the rounds of one figure of a server."""
    return statistics.median(getattr(each[name], field) for each in rounds)


def compared(results: Results) -> list[Section]:
    """Return a row for each upload and number of clients.

    ratios: requests/s of this service divided by those of each reference. uneven: the references that kept
    one of their two workers idle, which flatters the ratio.
    """
    others = [name for name in next(iter(results.values()))[0] if name != SERVICE]
    rows = []
    for (upload, clients), rounds in results.items():
        busiest = {name: statistics.median(each[name].shares[0] for each in rounds) for name in others}
        rows.append(
            {
                "upload": upload,
                "clients": clients,
                "requests_per_second": round(median(rounds, "rate")),
                "p50_ms": round(median(rounds, "p50"), 2),
                "p99_ms": round(median(rounds, "p99"), 2),
                "ratios": {
                    name: round(
                        statistics.median(each[SERVICE].rate / max(each[name].rate, 0.01) for each in rounds),
                        3,
                    )
                    for name in others
                },
                "uneven": [name for name in others if clients > FEW and busiest[name] > UNEVEN],
            }
        )
    return rows


def comparison(rows: list[Section]) -> str:
    """Return the table of ratios; a star marks a reference that used one worker."""
    others = list(rows[0]["ratios"])
    lines = [
        f"| upload | clients | requests/s | p50, ms | p99, ms | {' | '.join(others)} |",
        f"|---|{'---:|' * (4 + len(others))}",
    ]
    for row in rows:
        ratios = [ratio(row, name) for name in others]
        lines.append(
            f"| {row['upload']} | {row['clients']} | {row['requests_per_second']:,} | {row['p50_ms']:.1f} "
            f"| {row['p99_ms']:.1f} | {' | '.join(ratios)} |"
        )
    return "\n".join(lines)


def ratio(row: Section, name: str) -> str:
    """Return the ratio to one reference, with a star if that used one worker."""
    return f"{row['ratios'][name]:.2f}{'*' * (name in row['uneven'])}"


def used(servers: list[Running], results: Results, resting: dict[str, float]) -> list[Section]:
    """Return what each server takes besides time, in the case of the first upload with eight clients."""
    first = next(iter(results))[0]
    case = max(results, key=lambda each: (each[0] == first, each[1] == USUAL))
    return [
        {
            "server": server.name,
            "first_answer_seconds": round(server.started, 2),
            "resting_megabytes": round(resting[server.name], 1),
            "loaded_megabytes": round(server.memory_megabytes(), 1),
            "processor_microseconds": round(median(results[case], "processor", server.name)),
            "busiest_share": round(max(each[server.name].shares[0] for each in results[case]), 3),
            "upload": case[0],
        }
        for server in servers
    ]


def resources(rows: list[Section]) -> str:
    """Return the table of what each server takes besides time."""
    lines = [
        "| server | first answer, s | memory at rest, MB | after the load, MB "
        f"| processor time, µs per {rows[0]['upload']} | busiest worker's share |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        lines.append(
            f"| {row['server']} | {row['first_answer_seconds']:.2f} | {row['resting_megabytes']:.0f} "
            f"| {row['loaded_megabytes']:.0f} | {row['processor_microseconds']:,} "
            f"| {row['busiest_share']:.0%} |"
        )
    return "\n".join(lines)


def spread(results: Results) -> Section | None:
    """Return how unevenly this service's two workers shared the work at worst; None with one client."""
    shares = [
        each[SERVICE].shares[0]
        for (_, clients), rounds in results.items()
        if clients > FEW
        for each in rounds
    ]
    return {"share": round(max(shares), 3)} if shares else None


def sentences(figures: dict[str, Section]) -> list[str]:
    """Return a sentence for each figure."""
    return [SENTENCES[name].format(**values) for name, values in figures.items()]
