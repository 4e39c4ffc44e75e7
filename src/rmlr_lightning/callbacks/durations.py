"""Seconds as people read them."""


def duration(seconds: float) -> str:
    """Such as "4:05", or "1:30:00" from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
