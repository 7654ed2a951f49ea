"""Registry of publishers by the scheme of their address, which are imported only when they are chosen.

A package adds one by an entry point in the group ``emodetect.publishers``. Its name is the scheme, its object a factory:
``factory(address: str) -> Publisher``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from emodetect.errors import BackendUnavailableError, EmodetectError, OutputError, first_line
from emodetect.publish.address import invalid_address, public_name_of
from emodetect.publish.faults import publisher_fault
from emodetect.system.install_hints import extra_cure
from emodetect.text.suggestions import did_you_mean

if TYPE_CHECKING:  # the command line needs the names without importing NumPy
    from emodetect.publish.base import Publisher
    from emodetect.publish.sink import PublishingSink

GROUP = "emodetect.publishers"

_BUILT_IN = {
    "ws": "emodetect.publish.websocket:WebSocketPublisher",
    "mqtt": "emodetect.publish.mqtt:MqttPublisher",
    "mqtts": "emodetect.publish.mqtt:MqttPublisher",
    "osc": "emodetect.publish.osc:OscPublisher",
    "lsl": "emodetect.publish.lsl:LslPublisher",
    "http": "emodetect.publish.webhook:WebhookPublisher",
    "https": "emodetect.publish.webhook:WebhookPublisher",
}


@dataclass(frozen=True)
class PublishSettings:
    """Settings of publishing.

    Attributes:
        addresses: addresses of the publishers, such as ``mqtt://broker/faces``.
        changes_only: publish only the frames in which the label of a face changes.

    Raises:
        UsageError: ``changes_only`` is set without an address.
    """

    addresses: tuple[str, ...] = ()
    changes_only: bool = False

    def __post_init__(self) -> None:
        if self.changes_only and not self.addresses:
            raise invalid_address("`changes_only` requires `publish`")

    def open(self, clock: Callable[[], float] | None = None, *, waits: bool = False) -> PublishingSink:
        """Create the publishing sink; a context manager, which does nothing without addresses.

        Args:
            clock: current time on the clock of the frames' timestamps, seconds; None if frames have media time.
            waits: whether to wait for slow consumers that are reachable, as for files; `live` drops the oldest results instead.

        Raises:
            UsageError: an address is invalid.
            BackendUnavailableError: a package is missing.
            OutputError: a port cannot be bound.
        """
        from emodetect.publish.sink import PublishingSink

        publishers = [create_publisher(address) for address in self.addresses]
        return PublishingSink(publishers, changes_only=self.changes_only, clock=clock, waits=waits)


def schemes() -> list[str]:
    """Schemes of all publishers, the built-in ones first."""
    return [*_BUILT_IN, *plugins()]


def plugins() -> dict[str, EntryPoint]:
    """Entry points of plug-in publishers by scheme, sorted and not imported; built-in schemes cannot be replaced."""
    points = {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}
    return dict(sorted(points.items()))


def create_publisher(address: str) -> Publisher:
    """Create the publisher of an address; it is not opened yet.

    Args:
        address: address of a built-in publisher or a plug-in.

    Raises:
        UsageError: the scheme is unknown, or the address is invalid.
        BackendUnavailableError: the publisher or a package that it needs cannot be imported.
        OutputError: a plug-in fails.
    """
    scheme = address.partition(":")[0].lower() if ":" in address else ""
    if scheme in _BUILT_IN:
        return _create_built_in(scheme, address)
    others = plugins()
    if scheme in others:
        return _create_plugin(others[scheme], address)
    if scheme == "wss":
        raise invalid_address(
            f"{public_name_of(address)}: the server has no certificate", "use ws://, behind a proxy that has one"
        )
    known = [f"{name}:" if name == "lsl" else f"{name}://" for name in schemes()]
    meant = did_you_mean(f"{scheme}://", known) if scheme else ""
    raise invalid_address(f"{public_name_of(address)}: unknown kind of address; there are {', '.join(known)}{meant}")


def _create_built_in(scheme: str, address: str) -> Publisher:
    try:
        factory = EntryPoint(scheme, _BUILT_IN[scheme], GROUP).load()
    except (ImportError, RuntimeError) as error:  # RuntimeError if pylsl's native library is missing
        missing = getattr(error, "name", None) or first_line(error)
        what = f"publishing to {scheme}: needs the package {missing.partition('.')[0]}"
        raise BackendUnavailableError(what, parameter="publish", hint=extra_cure("publish")) from error
    publisher: Publisher = factory(address)
    return publisher


def _create_plugin(point: EntryPoint, address: str) -> Publisher:
    from emodetect.publish.base import Publisher

    try:
        publisher = point.load()(address)
    except EmodetectError:
        raise
    except Exception as error:  # plug-ins may raise anything
        raise publisher_fault(point.name, error) from error
    if not isinstance(publisher, Publisher):
        raise OutputError(f"the publisher {point.name} makes a {type(publisher).__name__}, not a Publisher", parameter="publish")
    publisher.name = publisher.name or public_name_of(address)
    return publisher
