"""One thin file a flow: what happens, in order."""
