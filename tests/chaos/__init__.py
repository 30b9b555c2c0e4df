"""
Rollcall with everything that it needs, and what happens to it when parts of that break.

`make chaos`, or `python -m tests.chaos --help`.
"""
