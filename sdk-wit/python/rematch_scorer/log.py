"""Messages for whoever writes or runs a scorer. They are shown, never recorded, and change no score."""

from wit_world.imports import log as wit_log

Level = wit_log.Level


def debug(message: str) -> None:
    """Shows a message for whoever writes the scorer."""
    wit_log.log(Level.DEBUG, message)


def info(message: str) -> None:
    """Shows a message that is worth knowing."""
    wit_log.log(Level.INFO, message)


def warn(message: str) -> None:
    """Shows that something is wrong, though a score was found."""
    wit_log.log(Level.WARN, message)
