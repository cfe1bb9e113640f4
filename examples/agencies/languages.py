"""The language of a visitor's browser (RFC 9110 §12.5.4)."""

LANGUAGES = ("en", "ar")


def browser_language(header: str) -> str:
    """The language the browser gives the most weight to; `q=0` is a refusal, the first of ours is for everybody else."""
    weights: dict[str, float] = {}
    for part in header[:500].lower().split(","):
        tag, _, weight = part.replace(" ", "").partition(";q=")
        try:
            weights.setdefault(tag, float(weight or 1))
        except ValueError:
            continue
    known = {language: _weight(language, weights) for language in LANGUAGES}
    order = list(weights)
    ranked = sorted(LANGUAGES, key=lambda one: (-(known[one] or 0), _first(one, order)))
    if known[ranked[0]]:
        return ranked[0]
    return next((language for language in LANGUAGES if known[language] is None), LANGUAGES[0])


def _weight(language: str, weights: dict[str, float]) -> float | None:
    """A language's weight, its regions' where it is not named itself, else that of `*`; None where nothing is said."""
    regions = [weight for tag, weight in weights.items() if tag.startswith(f"{language}-") and weight > 0]
    return weights.get(language, max(regions, default=weights.get("*")))


def _first(language: str, order: list[str]) -> int:
    return next((place for place, tag in enumerate(order) if tag.split("-")[0] == language), len(order))
