"""A local Entra ID and Microsoft Graph that real Microsoft clients accept."""

from entra_emulator.admin import Admin, ApplicationHandle, SecretHandle
from entra_emulator.browser import Browser, SignInStopped
from entra_emulator.clock import Clock, SystemClock, VirtualClock
from entra_emulator.demo import Demo
from entra_emulator.emulator import Emulator
from entra_emulator.faults import (
    GATEWAY_TIMEOUT,
    HANG,
    RESET,
    SERVICE_UNAVAILABLE,
    Budget,
    Effect,
    Fault,
    FaultPlan,
    Settings,
    slow,
)
from entra_emulator.keys import SigningKey
from entra_emulator.ledger import Entry, Ledger
from entra_emulator.wire import ConnectionReset, Request, Response, TimedOut, Wire, WireError, deliver

__all__ = [
    "GATEWAY_TIMEOUT",
    "HANG",
    "RESET",
    "SERVICE_UNAVAILABLE",
    "Admin",
    "ApplicationHandle",
    "Browser",
    "Budget",
    "Clock",
    "ConnectionReset",
    "Demo",
    "Effect",
    "Emulator",
    "Entry",
    "Fault",
    "FaultPlan",
    "Ledger",
    "Request",
    "Response",
    "SecretHandle",
    "Settings",
    "SignInStopped",
    "SigningKey",
    "SystemClock",
    "TimedOut",
    "VirtualClock",
    "Wire",
    "WireError",
    "deliver",
    "slow",
]
