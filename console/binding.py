"""Where the console listens, and the refusal to listen beyond this machine while anybody could do anything there."""

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import SettingsError
from core.settings import Settings, variable

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a browser may call a desk that is bound to loopback."""


@dataclass(frozen=True, slots=True)
class Place:
    """An address to listen on, as it was resolved: what was checked is what is bound."""

    host: str
    """As it was asked for."""
    family: socket.AddressFamily
    address: str

    @property
    def is_loopback(self) -> bool:
        return is_loopback(self.address)

    def url(self, port: int) -> str:
        """Where a browser on this machine opens what listens here."""
        shown = "localhost" if self.is_loopback else f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{port}"


def is_address(text: str) -> bool:
    """Whether this is an IP address rather than a name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether an address, or a name of ``LOOPBACK_NAMES``, reaches no further than this machine."""
    if not is_address(host):
        return host in LOOPBACK_NAMES
    address = ipaddress.ip_address(host)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def resolve(host: str) -> Place:
    """The address that a host name or address stands for. Of a name with several, one beyond this machine if there is one.

    Raises:
        SettingsError: there is no such host.
    """
    bare = host.strip().removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(bare or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"Signal Desk cannot listen on '{host}': there is no such address or host name.") from error
    places = [Place(bare or host, socket.AddressFamily(family), str(at[0])) for family, _, _, _, at in found]
    return next((place for place in places if not place.is_loopback), places[0])


def refuse_in_the_open(place: Place, settings: Settings, *, has_tokens: Callable[[], bool]) -> None:
    """Refuse to listen beyond this machine unless people sign in and programs bear tokens. ``has_tokens`` says whether one was made; it
    is asked only if nothing else is missing.

    Raises:
        SettingsError: one of them is missing; the message says what to set.
    """
    if place.is_loopback:
        return
    missing = list(settings.lacking_for_sign_in)
    if settings.api_token is None and (missing or not has_tokens()):
        missing.append(f"{variable('api_token')} (or an API token made on the System page)")
    if missing:
        raise SettingsError(
            f"Signal Desk does not listen on {place.host}, beyond this machine, while whoever reaches it could do anything. "
            f"Set {', '.join(missing)}; or start on 127.0.0.1."
        )
