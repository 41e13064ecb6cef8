"""`make files` writes docs/files.md: every module with the first line of its docstring. A test keeps it true."""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIST = ROOT / "docs" / "files.md"
PACKAGES = ("service", "engines", "model")
HEAD = "# One line a file\n\nEach module's own words, collected by `make files`.\n"


def file_list() -> str:
    """The page as it should be now."""
    tracked = subprocess.run(
        ["git", "ls-files", "--", *(f"{name}/*.py" for name in PACKAGES)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    folders: dict[Path, list[str]] = {}
    for name in sorted(tracked.stdout.split()):
        path = Path(name)
        about = ast.get_docstring(ast.parse((ROOT / path).read_text())) or ""
        folders.setdefault(path.parent, []).append(f"- `{path.name}` {about.splitlines()[0]}")
    ordered = sorted(folders, key=lambda folder: (PACKAGES.index(folder.parts[0]), folder))
    return HEAD + "".join(f"\n## {folder}/\n\n" + "\n".join(folders[folder]) + "\n" for folder in ordered)


if __name__ == "__main__":
    LIST.write_text(file_list())
