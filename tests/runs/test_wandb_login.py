"""Runs are logged offline unless wandb has a key; netrc files are made by hand."""

import os
import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir

from rmlr_lightning.runs.config import conf_dir

KEY = "0" * 40


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder of its own, without anything of wandb."""
    for name in [name for name in os.environ if name.startswith("WANDB_") or name == "NETRC"]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offline() -> bool:
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", ["logger=wandb"]).logger.wandb.offline


def entry(host: str, password: str = KEY) -> str:
    """As `wandb login` writes it."""
    return f"machine {host}\n  login user\n  password {password}\n"


def test_without_a_key_a_run_is_offline(home):
    assert offline()


@pytest.mark.parametrize("name", ["WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"])
def test_a_key_in_the_environment_takes_it_online(name, home, monkeypatch):
    monkeypatch.setenv(name, KEY)
    assert not offline()


@pytest.mark.parametrize("name", [".netrc", "_netrc"])
def test_a_key_of_wandb_login_takes_it_online(name, home):
    (home / name).write_text(entry("api.wandb.ai"))
    assert not offline()


def test_the_variable_netrc_names_the_file(home, monkeypatch):
    (home / "elsewhere").write_text(entry("api.wandb.ai"))
    monkeypatch.setenv("NETRC", "~/elsewhere")
    assert not offline()


def test_keys_of_other_servers_do_not_count(home):
    (home / ".netrc").write_text(entry("ftp.example.org") + "default login me password secret\n")
    assert offline()


@pytest.mark.parametrize("host", ["wandb.example.org:8080", "wandb.example.org"])
def test_the_key_is_that_of_the_server_in_use(host, home, monkeypatch):
    (home / ".netrc").write_text(entry("api.wandb.ai"))
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org:8080")
    assert offline()
    (home / ".netrc").write_text(entry(host))
    assert not offline()


def test_the_server_of_wandb_login_is_read_from_its_settings(home):
    settings = home / ".config" / "wandb" / "settings"
    settings.parent.mkdir(parents=True)
    settings.write_text("[default]\nbase_url = https://wandb.example.org\n")
    (home / ".netrc").write_text(entry("api.wandb.ai"))
    assert offline()
    (home / ".netrc").write_text(entry("wandb.example.org"))
    assert not offline()


@pytest.mark.fault
@pytest.mark.parametrize("content", [b"machine", b"\xff\xfe\x00", b"machine api.wandb.ai\npass"])
def test_a_damaged_file_holds_no_key(content, home):
    (home / ".netrc").write_bytes(content)
    assert offline()


@pytest.mark.fault
@pytest.mark.parametrize("content", [b"base_url = x", b"\xff\xfe\x00"])
def test_damaged_settings_leave_the_usual_server(content, home):
    (home / ".netrc").write_text(entry("api.wandb.ai"))
    settings = home / "wandb" / "settings"
    settings.parent.mkdir()
    settings.write_bytes(content)
    assert not offline()


def test_wandb_itself_is_not_imported(home):
    (home / ".netrc").write_text(entry("api.wandb.ai"))
    program = (
        "import sys\n"
        "from rmlr_lightning.runs.config import composed\n"
        "assert not composed(['logger=wandb']).logger.wandb.offline\n"
        "assert 'wandb' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_wandb_finds_the_same_key(home):
    """Its function is internal, so it is only compared with, and not called by a run."""
    wbnetrc = pytest.importorskip("wandb.sdk.lib.wbauth.wbnetrc", reason="of newer versions")
    assert wbnetrc.read_netrc_auth(host="https://api.wandb.ai") is None
    (home / ".netrc").write_text(entry("api.wandb.ai"))
    assert wbnetrc.read_netrc_auth(host="https://api.wandb.ai") == KEY
