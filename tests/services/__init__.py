"""
Private real servers for tests and benchmarks.

Each module has a context manager that starts one server on a free loopback port, with all its
files in a directory of its own, and stops exactly that server. A program that is not installed
is an error that names its Debian package, never a skipped test.
"""
