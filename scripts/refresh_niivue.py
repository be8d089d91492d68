"""Vendor the viewer library NiiVue (BSD-2-Clause) into the package: its UMD bundle, pinned, with its licence.

Run ``python scripts/refresh_niivue.py [VERSION]`` with npm installed. Without a version the pinned one is
fetched again, which must change nothing. Look at the viewer and run the browser tests afterwards.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "glioseg" / "server" / "static" / "vendor" / "niivue"
BUNDLE = "package/dist/niivue.umd.js"


def main() -> None:
    """Fetch, check and write."""
    record = FOLDER / "version.json"
    pinned = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    version = sys.argv[1] if len(sys.argv) > 1 else pinned["version"]
    npm = "npm.cmd" if sys.platform == "win32" else "npm"
    with tempfile.TemporaryDirectory() as made:
        subprocess.run([npm, "pack", "--silent", f"@niivue/niivue@{version}"], cwd=made, check=True)
        (archive,) = Path(made).glob("*.tgz")
        with tarfile.open(archive) as opened:
            member = opened.extractfile(BUNDLE)
            facts = opened.extractfile("package/package.json")
            assert member is not None
            assert facts is not None
            bundle = member.read()
            licence = json.loads(facts.read())["license"]
    if licence != "BSD-2-Clause":
        raise SystemExit(f"the licence has changed to {licence}: read it before going on")
    digest = hashlib.sha256(bundle).hexdigest()
    if version == pinned.get("version") and digest != pinned.get("sha256"):
        raise SystemExit(f"version {version} is not what it was: sha256 {digest}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "niivue.umd.js").write_bytes(bundle)
    content = {"name": "@niivue/niivue", "version": version, "licence": licence, "sha256": digest}
    record.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"NiiVue {version}, {len(bundle):,} bytes, sha256 {digest}")


if __name__ == "__main__":
    main()
