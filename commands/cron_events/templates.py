"""The templates of a mail, in Jinja2; `line` makes one line of a text of others."""

#: Characters of an error, a payload, an answer.
MAX_LINE = 300

TEXT = """\
{{ headline }}.
{% for run in runs %}

{{ run.name | line }}, ended {{ run.ended_at | moment }}
{% if "runs" in told %}
{% for check, statuses in run.counts.items() %}
  {{ check }}: {% for status, n in statuses.items() %}{{ "{:,}".format(n) }} {{ status }}{{ ", " if not loop.last }}{% endfor %}

{% endfor %}
{% endif %}
{% if "changes" in told %}
{% for check, n in run.changes.items() %}
  changed in {{ check }}: {{ "{:,}".format(n) }}
{% for one in run.examples if one.check == check %}
    {{ one.domain | line }}: {{ one.before | line }} -> {{ one.after | line }}
{% endfor %}
{% endfor %}
{% endif %}
{% if run.url %}
  {{ run.url }}
{% endif %}
{% endfor %}
{% if more_runs %}

… and {{ "{:,}".format(more_runs) }} more runs.
{% endif %}
{% for one in jobs %}

{{ one.command | line }}: {{ "{:,}".format(one.count) }} {{ "job" if one.count == 1 else "jobs" }} failed: {{ one.error | line }}
  last: {{ one.work_queue | line }} #{{ one.number }}, payload {{ one.payload | line }}, {{ one.ended_at | moment }}
{% if one.url %}
  {{ one.url }}
{% endif %}
{% endfor %}
{% if more_jobs > 0 %}

… and {{ "{:,}".format(more_jobs) }} jobs with other errors.
{% endif %}
"""  # noqa: E501 - each is a line of the mail

HTML = """\
<p>{{ headline }}.</p>
{% for run in runs %}
<h3>{% if run.url %}<a href="{{ run.url }}">{{ run.name | line }}</a>{% else %}{{ run.name | line }}{% endif %}</h3>
<p>Ended {{ run.ended_at | moment }}</p>
{% if "runs" in told %}
<table>
{% for check, statuses in run.counts.items() %}
{% for status, n in statuses.items() %}
<tr><td>{{ check }}</td><td>{{ status }}</td><td align="right">{{ "{:,}".format(n) }}</td></tr>
{% endfor %}
{% endfor %}
</table>
{% endif %}
{% if "changes" in told %}
{% for check, n in run.changes.items() %}
<p>Changed in {{ check }}: {{ "{:,}".format(n) }}</p>
<ul>
{% for one in run.examples if one.check == check %}
<li>{{ one.domain | line }}: {{ one.before | line }} → {{ one.after | line }}</li>
{% endfor %}
</ul>
{% endfor %}
{% endif %}
{% endfor %}
{% if more_runs %}
<p>… and {{ "{:,}".format(more_runs) }} more runs.</p>
{% endif %}
{% for one in jobs %}
<h3>{{ one.command | line }}: {{ "{:,}".format(one.count) }} {{ "job" if one.count == 1 else "jobs" }} failed</h3>
<p><code>{{ one.error | line }}</code></p>
<p>Last: {% if one.url %}<a href="{{ one.url }}">{{ one.work_queue | line }} #{{ one.number }}</a>{% else %}{{ one.work_queue | line }} #{{ one.number }}{% endif %}, payload <code>{{ one.payload | line }}</code>, {{ one.ended_at | moment }}</p>
{% endfor %}
{% if more_jobs > 0 %}
<p>… and {{ "{:,}".format(more_jobs) }} jobs with other errors.</p>
{% endif %}
"""  # noqa: E501 - each is a line of the mail
