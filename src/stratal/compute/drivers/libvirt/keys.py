"""Reads the key of a Ceph user from a keyring file. Called by `life`."""

import base64
import binascii
import configparser
from pathlib import Path

from stratal.kernel.errors import Invalid


def of_user(keyring: Path, user: str) -> bytes:
    """The key itself. Raises Invalid, which never quotes what is in the file."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        # Keyrings indent their lines, which this parser takes for continuations.
        lines = keyring.read_text().splitlines()
        parser.read_string("\n".join(line.strip() for line in lines))
        return base64.b64decode(parser[f"client.{user}"]["key"], validate=True)
    except OSError as error:
        raise Invalid(field="keyring", reason=f"{keyring}: {error.strerror}") from None
    except (configparser.Error, KeyError, UnicodeDecodeError, binascii.Error):
        raise Invalid(field="keyring", reason=f"{keyring} holds no key of client.{user}") from None
