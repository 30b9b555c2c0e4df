"""What Rollcall is measured by; `python -m benchmarks --help` lists it."""
