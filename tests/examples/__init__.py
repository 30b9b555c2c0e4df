"""The projects in examples/, as somebody uses them who has nothing else of this repository."""
