"""Asking every register at once about one person, with a hard cut (the exchange's preview and release alike)."""

import asyncio
from collections.abc import Iterable, Mapping

from broker import telemetry
from broker.evidence.source import Evidence, Found, Phase, Source, SourceUnavailable, Subject, without_value

CUT_SECONDS = 8.0


async def collect(
    sources: Mapping[str, Source],
    routing: Mapping[str, str],
    subject: Subject,
    attributes: Iterable[str],
    *,
    phase: Phase,
    reference: str,
    now: int,
    cut: float = CUT_SECONDS,
) -> Evidence:
    """Fetch the attributes concurrently, each from the source `routing` names; never raises, never later than `cut`.

    A source that fails, lies about what was asked or has not answered after `cut` seconds costs its own attributes
    only: they are `source_unavailable`. An attribute nobody holds is `not_held`, its source the empty name. When one
    source says that the person has died, nothing is handed over and the result is not `eligible`.
    """
    wanted: dict[str, set[str]] = {}
    for attribute in attributes:
        wanted.setdefault(routing.get(attribute, ""), set()).add(attribute)
    found = without_value(sorted(wanted.pop("", set())), "not_held", "", now)
    tasks = {
        name: asyncio.create_task(
            _ask(sources[name], subject, frozenset(asked), phase=phase, reference=reference, now=now)
        )
        for name, asked in wanted.items()
        if name in sources
    }
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=cut)
    finally:
        for task in tasks.values():
            task.cancel()
    eligible = True
    for name, asked in wanted.items():
        answer = _answer(tasks.get(name), name)
        if answer is None or set(answer) != asked:
            found += without_value(sorted(asked), "source_unavailable", name, now)
        else:
            eligible = eligible and answer.eligible
            found += [answer[attribute] for attribute in sorted(asked)]
    if not eligible:
        return Evidence((Found(f.attribute, "not_held", None, f.source, None, now) for f in found), eligible=False)
    return Evidence(found)


async def _ask(
    source: Source, subject: Subject, attributes: frozenset[str], *, phase: Phase, reference: str, now: int
) -> Evidence | str:
    """The source's answer, or one word for why there is none; so that no task keeps an exception nobody reads."""
    try:
        return await source.fetch(subject, attributes, phase=phase, reference=reference, now=now)
    except SourceUnavailable as unavailable:
        return unavailable.reason
    except Exception as broken:  # noqa: BLE001 - one register's fault must not cost the others' values
        return type(broken).__name__


def _answer(task: "asyncio.Task[Evidence | str] | None", name: str) -> Evidence | None:
    if task is None:
        reason = "not declared"
    elif not task.done() or task.cancelled():
        reason = "cut"
    else:
        outcome = task.result()
        if isinstance(outcome, Evidence):
            return outcome
        reason = outcome
    telemetry.log("source unavailable", source=name, reason=reason)
    return None
