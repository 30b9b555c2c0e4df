"""Connecting to hosts that strangers named: only to addresses that were looked at."""
