"""What a node is told: a TOML file, checked as a whole before anything starts."""

from __future__ import annotations

import difflib
import ipaddress
import socket
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidPlan, MedRestoreError
from ..presets import Preset

MODALITIES = ("NM", "MR", "US", "PT")
PATTERNS = ("modality", "station", "description", "body_part")
_LONGEST_TITLE = 16


@dataclass(frozen=True)
class Peer:
    """Another application entity.

    Attributes:
        ae_title: its title.
        address: from where it connects: an IP address, a network ("10.1.0.0/16") or a host name; ""
            for one that is only sent to over DICOMweb.
        port: where it takes what is sent to it; 0 for one that only sends.
        url: of its DICOMweb service, which takes what is sent to it instead.
        may_send: whether it may store here.
        tls: whether it is sent to over TLS.
    """

    ae_title: str
    address: str = ""
    port: int = 0
    url: str = ""
    may_send: bool = True
    tls: bool = False

    def __post_init__(self) -> None:
        _demand_title(self.ae_title, "peers.ae_title")
        sound = bool(self.address) or (bool(self.url) and not self.may_send)
        _demand(sound, "peers.address is an IP address, a network or a host name.", "peers.address")
        web = not self.url or (urlsplit(self.url).scheme in ("http", "https") and bool(urlsplit(self.url).hostname))
        _demand(web, "peers.url begins with http:// or https:// and a host.", "peers.url")
        _demand(not (self.url and self.port), "peers.port and peers.url exclude each other.", "peers.url")
        _demand(0 <= self.port < 65536, f"peers.port is a port number, not {self.port}.", "peers.port")

    @property
    def takes(self) -> bool:
        """Whether it can be sent to."""
        return bool(self.port or self.url)

    def is_at(self, address: str) -> bool:
        """Whether a connection from this IP address may be its own."""
        here = ipaddress.ip_address(address.partition("%")[0])
        try:
            return here in ipaddress.ip_network(self.address, strict=False)
        except ValueError:
            pass
        try:
            found = socket.getaddrinfo(self.address, None, proto=socket.IPPROTO_TCP)
        except OSError:
            return False
        return any(ipaddress.ip_address(str(one[4][0]).partition("%")[0]) == here for one in found)


@dataclass(frozen=True)
class Rule:
    """What is done with the series that fit it.

    Attributes:
        name: for logs.
        modality, station, description, body_part: patterns with ``*`` and ``?``, upper and lower case alike.
        preset: how they are restored.
        send_to: titles of the peers that get the derived series.
    """

    name: str
    send_to: tuple[str, ...]
    modality: str = "*"
    station: str = "*"
    description: str = "*"
    body_part: str = "*"
    preset: Preset = field(default_factory=lambda: Preset("node"))

    def fits(self, about: Mapping[str, str]) -> bool:
        """Whether a series with these values of ``PATTERNS`` fits."""
        return all(fnmatchcase(about.get(name, "").casefold(), getattr(self, name).casefold()) for name in PATTERNS)


@dataclass(frozen=True)
class Tls:
    """Paths of PEM files: our certificate, its key, and the authorities whose certificates peers must show."""

    certificate: Path
    key: Path
    authorities: Path

    def __post_init__(self) -> None:
        for name in ("certificate", "key", "authorities"):
            path = getattr(self, name)
            _demand(path.is_file(), f"tls.{name}: there is no file {path}.", f"tls.{name}")


@dataclass(frozen=True)
class Config:
    """A node.

    Attributes:
        ae_title, host, port: what it is called and where it listens.
        folder: what it keeps: the queue, what came, and what goes out.
        peers, rules: of the rules, the first that fits a series counts; a series that none fits is ignored.
        quiet_seconds: a series is complete when so long nothing of it has come.
        on_release: or when the association that brought its last instance is released.
        max_instance_mb: a larger instance ends its association.
        max_associations: at a time.
        instances_per_minute: from one peer; more are refused for the time being.
        least_free_gb: with less left on the disk, instances are refused.
        keep_hours: how long series that are done with stay on the disk.
        give_up_hours: how long delivery is tried.
        workers: series that are restored at a time.
        metrics_port: of http://127.0.0.1/metrics; 0 for none.
        tls: for both directions; None for none.
    """

    folder: Path
    peers: tuple[Peer, ...]
    rules: tuple[Rule, ...]
    ae_title: str = "MEDRESTORE"
    host: str = "127.0.0.1"
    port: int = 11112
    quiet_seconds: float = 30.0
    on_release: bool = False
    max_instance_mb: float = 1024.0
    max_associations: int = 10
    instances_per_minute: float = 6000.0
    least_free_gb: float = 5.0
    keep_hours: float = 24.0
    give_up_hours: float = 72.0
    workers: int = 1
    metrics_port: int = 0
    tls: Tls | None = None

    def __post_init__(self) -> None:
        _demand_title(self.ae_title, "node.ae_title")
        for name in ("max_instance_mb", "max_associations", "instances_per_minute", "workers"):
            _demand(getattr(self, name) > 0, f"node.{name} is a number above 0.", f"node.{name}")
        for name in ("quiet_seconds", "least_free_gb", "keep_hours", "give_up_hours"):
            _demand(getattr(self, name) >= 0, f"node.{name} is a number from 0.", f"node.{name}")
        for name in ("port", "metrics_port"):
            _demand(0 <= getattr(self, name) < 65536, f"node.{name} is a port number.", f"node.{name}")
        _demand(any(peer.may_send for peer in self.peers), "no peer may send: give one [[peers]].", "peers")
        _demand(bool(self.rules), "there is no rule: give one [[rules]].", "rules")
        for rule in self.rules:
            for title in rule.send_to:
                peer = self.peer(title)
                _demand(
                    peer is not None and peer.takes,
                    f"rule '{rule.name}' sends to {title}, which is no peer with a port or a url.",
                    "rules.send_to",
                )
        _demand(
            not any(peer.tls for peer in self.peers) or self.tls is not None, "a peer wants TLS: give [tls].", "tls"
        )

    def peer(self, title: str) -> Peer | None:
        """The peer of this title."""
        return next((peer for peer in self.peers if peer.ae_title == title), None)

    def rule(self, name: str) -> Rule | None:
        """The rule of this name."""
        return next((rule for rule in self.rules if rule.name == name), None)

    def rule_for(self, about: Mapping[str, str]) -> Rule | None:
        """The first rule that fits a series."""
        return next((rule for rule in self.rules if rule.fits(about)), None)


def read(path: Path) -> Config:
    """The node that a TOML file describes; paths in it are relative to the file.

    Raises:
        InvalidPlan: the file is absent, is no TOML, or tells something that cannot be; the message names it.
    """
    try:
        with path.open("rb") as stream:
            told = tomllib.load(stream)
    except OSError as error:
        raise InvalidPlan(f"{path} cannot be read ({error.strerror}).", field="config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidPlan(f"{path} is no TOML: {error}.", field="config") from error
    try:
        return _config(told, path.resolve().parent)
    except MedRestoreError as error:
        raise InvalidPlan(f"{path}: {error}", field=error.field) from error


def _config(told: Mapping[str, Any], place: Path) -> Config:
    _demand_known(told, ("node", "peers", "rules", "tls"), "")
    node = _values(Config, _table(told.get("node", {}), "node"), "node", place)
    tls = _values(Tls, _table(told["tls"], "tls"), "tls", place) if "tls" in told else None
    peers = tuple(Peer(**_values(Peer, one, "peers", place)) for one in _tables(told, "peers"))
    rules = tuple(_rule(one) for one in _tables(told, "rules"))
    return Config(peers=peers, rules=rules, tls=None if tls is None else Tls(**tls), **node)


def _rule(told: dict[str, Any]) -> Rule:
    """A rule: its patterns, where its results go, and the fields of a preset."""
    decided = [one.name for one in fields(Preset) if one.name not in ("name", "note")]
    _demand_known(told, ("name", "send_to", *PATTERNS, *decided), "rules")
    name, send_to = told.get("name"), told.get("send_to")
    _demand(isinstance(name, str) and bool(name), "each of the rules has a name.", "rules.name")
    _demand(
        isinstance(send_to, list) and bool(send_to) and all(isinstance(one, str) for one in send_to),
        f"rule '{name}': send_to is a list of titles of peers.",
        "rules.send_to",
    )
    patterns = {key: told[key] for key in PATTERNS if key in told}
    _demand(all(isinstance(one, str) for one in patterns.values()), f"rule '{name}': a pattern is a text.", "rules")
    preset = Preset(str(name), **{key: told[key] for key in decided if key in told})
    return Rule(str(name), tuple(send_to or ()), preset=preset, **patterns)


def _values(kind: type, told: Mapping[str, Any], table: str, place: Path) -> dict[str, Any]:
    """The values that a table gives to the plain fields of a class."""
    known = {one.name: one for one in fields(kind) if one.name not in ("peers", "rules", "tls") or kind is Peer}
    _demand_known(told, tuple(known), table)
    values: dict[str, Any] = {}
    for name, one in known.items():
        if name not in told:
            _demand(one.default is not MISSING, f"{table}.{name} is missing.", f"{table}.{name}")
            continue
        given = told[name]
        wanted: Any = {"Path": str, "str": str, "bool": bool, "int": int, "float": (int, float)}[str(one.type)]
        sound = isinstance(given, wanted) and (wanted is bool or not isinstance(given, bool))
        _demand(sound, f"{table}.{name} is {_WORDS[str(one.type)]}, not {given!r}.", f"{table}.{name}")
        values[name] = place / given if one.type == "Path" else given
    return values


_WORDS = {"Path": "a path", "str": "a text", "bool": "true or false", "int": "a whole number", "float": "a number"}


def _table(told: Any, name: str) -> dict[str, Any]:
    _demand(isinstance(told, dict), f"[{name}] is a table.", name)
    return dict(told)


def _tables(told: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name, [])
    _demand(isinstance(found, list) and all(isinstance(one, dict) for one in found), f"[[{name}]] are tables.", name)
    return [dict(one) for one in found]


def _demand_known(told: Mapping[str, Any], known: tuple[str, ...], table: str) -> None:
    for name in told:
        close = difflib.get_close_matches(name, known, 1)
        where = f"{table}.{name}" if table else name
        _demand(name in known, f"'{where}' is not known{f'; {close[0]} is meant?' if close else ''}.", where)


def _demand_title(title: str, name: str) -> None:
    good = isinstance(title, str) and len(title.strip()) > 0 and len(title) <= _LONGEST_TITLE
    good = good and title.isascii() and title.isprintable() and "\\" not in title
    _demand(good, f"{name} is a title of at most {_LONGEST_TITLE} plain characters, not {title!r}.", name)


def _demand(good: Any, message: str, name: str) -> None:
    if not good:
        raise InvalidPlan(message, field=name)
