import shutil

import pytest

METADATA = "Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs or upgrades a package of given modules where importlib.metadata finds it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make(name, modules, version="1.0"):
        for old in tmp_path.glob(f"{name}-*.dist-info"):  # an upgrade
            shutil.rmtree(old)
        about = tmp_path / f"{name}-{version}.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(METADATA.format(name=name, version=version))
        (about / "RECORD").write_text("".join(f"{path},,\n" for path in modules))
        for path, code in modules.items():
            file = tmp_path / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(code if isinstance(code, bytes) else code.encode())

    return make
