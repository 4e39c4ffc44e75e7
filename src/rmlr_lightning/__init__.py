"""RmLR in PyTorch Lightning: language-guided two-stage human-object interaction detection."""

__version__ = "0.1.0"
