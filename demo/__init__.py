"""A dirty list of names and a scripted name server: what `make demo` needs and no network."""
