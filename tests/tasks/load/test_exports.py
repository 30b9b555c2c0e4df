import re
from pathlib import Path

import tasks.load
from tasks.load import errors


def test_all_is_complete() -> None:
    """The package exports what `__all__` says, and every error of the tree."""
    assert all(hasattr(tasks.load, name) for name in tasks.load.__all__)
    tree = {name for name, kind in vars(errors).items() if isinstance(kind, type)}
    assert tree <= set(tasks.load.__all__)


def test_error_tree_is_drawn() -> None:
    """The drawing in the docstring of the errors is the tree."""
    drawn = set(re.findall(r"^ *([A-Z]\w+)", (errors.__doc__ or "").split("```")[1], re.MULTILINE))
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert drawn == {kind.__name__ for kind in kinds}
    assert all(issubclass(kind, errors.LoadError) for kind in kinds)


def test_knows_neither_prefect_nor_the_database() -> None:
    """The loader is plain Python: of ours it imports the commands only."""
    folder = Path(tasks.load.__file__).parent
    imports = re.findall(
        r"^\s*(?:from|import) ([\w.]+)",
        "\n".join(path.read_text() for path in folder.rglob("*.py")),
        re.MULTILINE,
    )
    ours = {"commands", "database", "flows", "tasks", "web", "prefect", "sqlalchemy"}
    used = {name for name in imports if name.split(".")[0] in ours}
    assert {name for name in used if not name.startswith("tasks.load")} == {"commands.addresses"}
