"""The default templates of a notification, in Jinja2; the fields are those of `Notice`."""

SUBJECT = "Rollcall: {{ run }} {{ state }}"

TEXT = """\
{{ headline }}
{% for check, statuses in counts.items() %}

{{ check }}
{% for status, n in statuses.items() if n %}
  {{ status }}: {{ "{:,}".format(n) }}
{% endfor %}
{% endfor %}
{% for check, n in changes.items() %}

Changed in {{ check }}: {{ "{:,}".format(n) }}
{% for one in examples if one.check == check %}
  {{ one.domain }}: {{ one.before }} -> {{ one.after }}
{% endfor %}
{% endfor %}
{% if file %}

Results: {{ file }}
{% endif %}
{% if url %}

Run: {{ url }}
{% endif %}
"""

HTML = """\
<p>{{ headline }}</p>
{% for check, statuses in counts.items() %}
<table>
<caption>{{ check }}</caption>
{% for status, n in statuses.items() if n %}
<tr><td>{{ status }}</td><td align="right">{{ "{:,}".format(n) }}</td></tr>
{% endfor %}
</table>
{% endfor %}
{% for check, n in changes.items() %}
<p>Changed in {{ check }}: {{ "{:,}".format(n) }}</p>
<ul>
{% for one in examples if one.check == check %}
<li>{{ one.domain }}: {{ one.before }} → {{ one.after }}</li>
{% endfor %}
</ul>
{% endfor %}
{% if file %}
<p>Results: {{ file }}</p>
{% endif %}
{% if url %}
<p><a href="{{ url }}">{{ run }}</a></p>
{% endif %}
"""
