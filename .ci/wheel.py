"""Build the wheel into the given directory and compare what it holds with what the packages hold.

A data file that is missing from the wheel works in a checkout and fails at the first user.
"""

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def package_files(packages: list[str]) -> set[str]:
    """Return what a wheel of these packages should hold, as paths relative to the root."""
    found = (path for package in packages for path in (ROOT / package).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts}


def main(target: Path) -> int:
    """Return 0 when the wheel holds exactly the packages' files and its own metadata."""
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", str(target), str(ROOT)], check=True)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    expected = package_files(settings["tool"]["setuptools"]["packages"])
    (wheel,) = target.glob("yiwang-*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    for name in sorted(expected - held):
        sys.stderr.write(f"missing from the wheel: {name} (see package-data in pyproject.toml)\n")
    for name in sorted(held - expected):
        sys.stderr.write(f"in the wheel, but in no package: {name}\n")
    return int(held != expected)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
