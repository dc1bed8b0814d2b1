"""A local Entra ID and Microsoft Graph that real Microsoft clients accept."""

from entra_emulator.admin.admin import Admin, ApplicationHandle, SecretHandle
from entra_emulator.admin.demo import Demo
from entra_emulator.core.clock import Clock, SystemClock, VirtualClock
from entra_emulator.core.wire import ConnectionReset, Request, Response, TimedOut, Wire, WireError, deliver
from entra_emulator.directory.keys import SigningKey
from entra_emulator.faults.faults import (
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
from entra_emulator.faults.ledger import Entry, Ledger
from entra_emulator.server.emulator import Emulator
from entra_emulator.sign_in.browser import Browser, SignInStopped

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
