"""News in words: a subject, a text, and the same as HTML."""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from jinja2 import Environment, StrictUndefined, Template

from commands.cron_events import templates
from commands.cron_events.port import Letter, News, Topic
from commands.masking import one_line

#: Characters; a longer one is folded or cut by those who show it.
MAX_SUBJECT = 200
#: Topic -> how its number is said, for one and for many.
_WORDS: dict[Topic, tuple[str, str]] = {
    "runs": ("run ended", "runs ended"),
    "changes": ("result changed", "results changed"),
    "jobs": ("job failed", "jobs failed"),
}


def compose(news: News, topics: Collection[Topic]) -> Letter | None:
    """
    Put news into words.

    Args:
        news: What there is to tell.
        topics: What of it is wanted.

    Returns:
        None where nothing of it is wanted.
    """
    told = {topic: n for topic in _WORDS if topic in topics and (n := news.counts.get(topic, 0))}
    if not told:
        return None
    headline = ", ".join(f"{n:,} {_WORDS[topic][n != 1]}" for topic, n in told.items())
    # Who wants to hear of changes only, hears of the runs that have some.
    shown = [run for run in news.runs if "runs" in told or ("changes" in told and run.changes)]
    fields = {
        "headline": headline,
        "told": told,
        "runs": shown,
        "more_runs": max(told.get("runs", 0) - len(shown), 0),
        "jobs": news.jobs if "jobs" in told else (),
        "more_jobs": told.get("jobs", 0) - sum(jobs.count for jobs in news.jobs),
    }
    text, html = _templates()
    return Letter(
        one_line(f"Rollcall: {headline}", MAX_SUBJECT), text.render(fields), html.render(fields)
    )


@cache
def _templates() -> tuple[Template, Template]:
    return (
        # Plain text has no markup that anything could be taken for.
        _environment(escapes=False).from_string(templates.TEXT),
        _environment(escapes=True).from_string(templates.HTML),
    )


def _environment(*, escapes: bool) -> Environment:
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=escapes,  # noqa: S701 - HTML is escaped
    )
    environment.filters["line"] = lambda text: one_line(text, templates.MAX_LINE)
    environment.filters["moment"] = lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC")
    return environment
