"""Shape annotations are checked in tests: jaxtyping's hook goes before the first import of the package."""

from jaxtyping import install_import_hook

install_import_hook(["rmlr_lightning.ops", "rmlr_lightning.models", "rmlr_lightning.losses"], "beartype.beartype")
