"""The hosts that a worker keeps warm."""

from __future__ import annotations

import atexit
import threading
from collections import OrderedDict
from collections.abc import Callable

from extraction.packages.host.client import Host
from extraction.packages.host.spec import HostSpec


class HostPool:
    """At most `max_hosts` hosts by spec; the one least recently asked for goes first.

    A host that is busy is spared while an idle one can go. A host that ended is started anew.
    """

    def __init__(self, max_hosts: int) -> None:
        if max_hosts < 1:
            raise ValueError("max_hosts must be at least 1")
        self._max = max_hosts
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._lock = threading.Lock()
        self._starting: dict[str, threading.Lock] = {}
        atexit.register(self.close)

    def get(self, spec: HostSpec, *, prepare: Callable[[], object] | None = None) -> Host:
        """Give a running host for the spec, starting one if need be, after `prepare`. Raises HostError."""
        with self._lock:
            starting = self._starting.setdefault(spec.key, threading.Lock())
        with starting:
            with self._lock:
                host = self._hosts.get(spec.key)
                if host is not None and host.alive:
                    self._hosts.move_to_end(spec.key)
                    return host
                self._hosts.pop(spec.key, None)
                evicted = self._evict()
            for old in evicted:
                old.close()
            if prepare is not None:
                prepare()
            host = Host(spec)
            host.start()
            with self._lock:
                self._hosts[spec.key] = host
            return host

    def close_labelled(self, label: str) -> None:
        """End the hosts with this label; what they are asked for meanwhile fails."""
        with self._lock:
            keys = [key for key, host in self._hosts.items() if host.spec.label == label]
            hosts = [self._hosts.pop(key) for key in keys]
        for host in hosts:
            host.close()

    def running(self) -> list[str]:
        """Give the keys of running hosts, least recently used first."""
        with self._lock:
            return [key for key, host in self._hosts.items() if host.alive]

    def close(self) -> None:
        """End all hosts."""
        with self._lock:
            hosts = list(self._hosts.values())
            self._hosts.clear()
        for host in hosts:
            host.close()

    def _evict(self) -> list[Host]:
        """Take out hosts until there is room for one more."""
        evicted = []
        while len(self._hosts) >= self._max:
            idle = [key for key, host in self._hosts.items() if not host.busy]
            evicted.append(self._hosts.pop(idle[0] if idle else next(iter(self._hosts))))
        return evicted
