"""Whether Weights & Biases has a key, without importing it and without the network."""

import configparser
import netrc
import os
from pathlib import Path
from urllib.parse import urlsplit

CLOUD = "https://api.wandb.ai"
NETRC_NAMES = (".netrc", "_netrc")  # the second is Windows'


def has_key() -> bool:
    """A key in the environment, or that `wandb login` has stored for the server in use.

    The places are wandb's own: WANDB_API_KEY, WANDB_IDENTITY_TOKEN_FILE, and the netrc file, which
    NETRC may name. A `default` entry of that file is a password for other servers.
    """
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    try:
        hosts = netrc.netrc(_netrc_file()).hosts
    except (OSError, ValueError, netrc.NetrcParseError):  # wandb has no key of it, either
        return False
    server = urlsplit(_base_url())
    # older versions of wandb store and look up a server without its port
    return any(hosts[name][2] for name in (server.netloc, server.hostname) if name in hosts)


def _netrc_file() -> Path:
    if path := os.environ.get("NETRC"):
        return Path(path).expanduser()
    paths = [Path.home() / name for name in NETRC_NAMES]
    return next((path for path in paths if path.exists()), paths[0])


def _base_url() -> str:
    """WANDB_BASE_URL, or the server that `wandb login --host` has stored."""
    folder = os.environ.get("WANDB_CONFIG_DIR") or Path.home() / ".config" / "wandb"
    stored = configparser.ConfigParser(interpolation=None)
    try:
        # the second one, of `wandb init`, is preferred
        stored.read([Path(folder, "settings").expanduser(), Path("wandb", "settings")])
    except (OSError, ValueError, configparser.Error):
        stored.clear()
    url = os.environ.get("WANDB_BASE_URL") or stored.get("default", "base_url", fallback="")
    return url or CLOUD
