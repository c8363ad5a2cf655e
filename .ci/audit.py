"""Known weaknesses of what is installed here, as pip-audit finds them where the registry tells.

Fails where there are any. Where nothing, or not everything, could be asked for, it says so: a
registry that does not answer, or one that serves packages but knows no weaknesses, is no failure of
ours, and no clean bill either.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def verdict(report: dict[str, Any] | None, said: str) -> tuple[int, list[str]]:
    """An exit code, and the lines to print.

    Args:
        report: of pip-audit, as JSON; None where there is none.
        said: what it printed, for the reason.
    """
    if report is None:
        reason = (said.strip().splitlines() or ["pip-audit said nothing"])[-1]
        return 0, [f"NOT AUDITED, the registry cannot be asked: {reason}"]
    packages = report["dependencies"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    weak = [package for package in packages if package.get("vulns")]
    lines = [
        f"{package['name']} {package['version']}: {weakness['id']}, mended in "
        f"{', '.join(weakness['fix_versions']) or 'no version'}"
        for package in weak
        for weakness in package["vulns"]
    ]
    lines.append(f"audited: {len(packages) - len(skipped)} of {len(packages)} packages")
    if skipped:
        lines.append(f"NOT AUDITED, unknown to the registry: {', '.join(skipped)}")
    return (1 if weak else 0), lines


def main() -> int:
    """Audit the environment that this runs in."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "audit.json"
        words = ["--skip-editable", "--progress-spinner", "off", "--format", "json"]
        command = [sys.executable, "-m", "pip_audit", *words, "--output", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        # Written whenever the registry answered, whatever it knew.
        report = json.loads(file.read_text()) if file.is_file() else None
    code, lines = verdict(report, done.stderr)
    sys.stdout.write("\n".join([*lines, ""]))
    return code


if __name__ == "__main__":
    sys.exit(main())
