"""How figures are written: rounded, as counts, bytes, durations, dollars, shares, and in tables."""

from world import HOUR


def rounded(value):
    """The value with its numbers, however deep, to four digits."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def count(value: float) -> str:
    for limit, unit in ((1e9, " billion"), (1e6, " million")):
        if value >= limit:
            return f"{value / limit:.3g}{unit}"
    return f"{value:,.0f}"


def size(value: float) -> str:
    for limit, unit in ((1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value:.0f} B"


def took(seconds: float) -> str:
    for limit, unit in ((365.25 * 24 * HOUR, "years"), (48 * HOUR, "h"), (HOUR, "h"), (60, "min")):
        if seconds >= limit:
            value = seconds / (24 * HOUR) if limit == 48 * HOUR else seconds / limit
            return f"{value:.3g} {'days' if limit == 48 * HOUR else unit}"
    return f"{seconds:.2g} s"


def dollars(value: float) -> str:
    return f"${value:,.0f}" if value >= 10 else f"${value:.2f}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def rows(head: list[str], body: list[list[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in body])
