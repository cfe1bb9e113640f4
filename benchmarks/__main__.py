"""`make bench`: Semel beside its peer, interleaved, one line a claim (see `benchmarks/README.md`)."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import claims, machine, oidc_provider, rotation, semel
from benchmarks.claims import CLAIMS, Claim, Measure
from benchmarks.machine import Missing
from benchmarks.rotation import Rotation
from benchmarks.side import Side, Size

SMALL = Size(citizens=400, agencies=20, visits=40)


@dataclass(frozen=True)
class Result:
    """All repetitions of one claim, by side."""

    claim: Claim
    measures: dict[str, list[Measure]]

    def rate(self, side: str) -> float:
        """The median of what a second of CPU did."""
        return statistics.median(one.rate for one in self.measures[side])

    def speed(self, side: str) -> float:
        """The median of what a second on the clock did."""
        return statistics.median(one.many / one.seconds for one in self.measures[side])

    def ratios(self) -> list[float]:
        """Semel's rate over the peer's, repetition by repetition."""
        return [
            ours.rate / theirs.rate for ours, theirs in zip(self.measures["semel"], self.measures["peer"], strict=True)
        ]

    def latency(self, side: str, part: float) -> float:
        """The time in milliseconds within which this part of the walks was done, over all repetitions."""
        times = sorted(time for one in self.measures[side] for time in one.times)
        return 1000 * times[min(len(times) - 1, int(len(times) * part))]

    def line(self) -> str:
        """The claim in one line."""
        ratios, ours, theirs = self.ratios(), self.rate("semel"), self.rate("peer")
        return (
            f"{self.claim.name:<28} semel {ours:7.0f}/CPU-s {self.speed('semel'):6.0f}/s p99 {self.latency('semel', 0.99):5.0f} ms"
            f" | peer {theirs:7.0f}/CPU-s {self.speed('peer'):6.0f}/s p99 {self.latency('peer', 0.99):5.0f} ms"
            f" | ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | goal: {self.claim.goal}"
        )

    def told(self) -> dict[str, Any]:
        """The same as a value."""
        sides = {
            side: {
                "per_cpu_second": [round(one.rate, 1) for one in measures],
                "per_second": [round(one.many / one.seconds, 1) for one in measures],
                "p50_ms": round(self.latency(side, 0.5), 1),
                "p99_ms": round(self.latency(side, 0.99), 1),
            }
            for side, measures in self.measures.items()
        }
        ratios = self.ratios()
        return {"claim": self.claim.name, "goal": self.claim.goal, "ratio": round(statistics.median(ratios), 3)} | sides


def compare(claim: Claim, sides: list[Side], repetitions: int, scale: float) -> Result:
    """Measure a claim on both sides in turn, after one round that warms them up and does not count."""
    measures: dict[str, list[Measure]] = {side.name: [] for side in sides}
    many = max(20, int(claim.many * scale))
    for number in range(repetitions + 1):
        for side in sides if number % 2 else sides[::-1]:
            claims.introduce(side)
            one = claim.measure(side, many)
            if number:
                measures[side.name].append(one)
    return Result(claim, measures)


def main() -> int:
    """Run it; 2 when something is missing."""
    options = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    options.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    options.add_argument("--repetitions", type=int, default=3, help="of each claim on each side (default 3)")
    options.add_argument("--only", help="the claims whose name holds this word")
    options.add_argument("--small", action="store_true", help="little data and few requests: to see that it runs")
    options.add_argument("--workers", type=int, default=2, help="processes of each side that answer (default 2)")
    given = options.parse_args()
    try:
        results, turned = run(given)
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 2
    if given.json:
        told = {"machine": machine.described(), "claims": [result.told() for result in results]}
        print(json.dumps(told | ({"keys_rotate": turned.told()} if turned else {}), indent=2))
    return 0


def run(given: argparse.Namespace) -> tuple[list[Result], Rotation | None]:
    """Load both sides, then measure claim after claim, printing as they are done; at last journeys while keys change."""
    size, began = SMALL if given.small else Size(), time.monotonic()

    def say(line: str) -> None:
        if not given.json:
            print(line, flush=True)

    say("  ".join(f"{name}: {value}" for name, value in machine.described().items()))
    say(
        f"{size.citizens:,} citizens with a permission each, {size.agencies} agencies, {size.visits} sessions; {given.workers} workers a side"
    )
    with ExitStack() as stack, tempfile.TemporaryDirectory(prefix="semel-benchmark-") as folder:
        sides = []
        for made in (semel, oidc_provider):
            sides.append(stack.enter_context(made.running(Path(folder), size, workers=given.workers)))
            say(f"{sides[-1].name} loaded after {time.monotonic() - began:.0f} s")
        results, turned = [], None
        for claim in CLAIMS:
            if given.only is None or given.only in claim.name:
                results.append(compare(claim, sides, given.repetitions, 0.1 if given.small else 1.0))
                say(results[-1].line())
        if results and results[-1].claim.name == "journey":
            turned = rotation.measure(sides[0], results[-1].speed("semel") / 2)
            say(turned.line())
    say(f"{time.monotonic() - began:.0f} s in all")
    return results, turned


if __name__ == "__main__":
    sys.exit(main())
