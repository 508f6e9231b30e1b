"""Artifacts taken apart and zipped anew with another payload, as a stranger could do."""

import hashlib
import json
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """The files of an artifact by their path below its root folder."""

    identity: str
    files: dict[str, bytes]

    @classmethod
    def of(cls, path: Path | str) -> "Archive":
        """Read the files of a saved artifact."""
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name[-1] != "/"]
            files = {name.partition("/")[2]: archive.read(name) for name in names}
        return cls(names[0].partition("/")[0], files)

    @property
    def payload(self) -> dict[str, bytes]:
        """The files that the plugin wrote."""
        return {
            name.removeprefix("data/"): content
            for name, content in self.files.items()
            if name.startswith("data/")
        }

    def write_payload(self, folder: Path) -> None:
        """Write the files that the plugin wrote into a folder."""
        for name, content in self.payload.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

    def rebuilt(self, folder: Path, changes: dict, links: dict | None = None) -> Path:
        """Zip the artifact anew, under a new UUID and with the framework's sums made to fit.

        The framework answers a UUID that it knows from its cache: only a new one is read. None
        takes a file of the payload away; links are stored as such.
        """
        payload = self.payload | changes
        files = {name: data for name, data in self.files.items() if not name.startswith("data/")}
        files |= {f"data/{name}": data for name, data in payload.items() if data is not None}
        fresh = str(uuid.uuid4())
        for name in ("metadata.yaml", "provenance/metadata.yaml"):
            files[name] = files[name].replace(self.identity.encode(), fresh.encode())
        sums = (
            f"{hashlib.md5(data).hexdigest()}  {name}\n"
            for name, data in files.items()
            if name != "checksums.md5"
        )
        files["checksums.md5"] = "".join(sums).encode()
        path = folder / f"{fresh}.qza"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, data in files.items():
                archive.writestr(f"{fresh}/{name}", data)
            for name, target in (links or {}).items():
                entry = zipfile.ZipInfo(f"{fresh}/data/{name}")
                entry.create_system, entry.external_attr = 3, 0o120777 << 16
                archive.writestr(entry, target)
        return path


def fitting_manifest(payload: dict[str, bytes]) -> bytes:
    """Write the manifest that fits a model's files: a stranger can do that too."""
    sums = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in payload.items()
        if name != "manifest.json"
    }
    return json.dumps(sums).encode()
