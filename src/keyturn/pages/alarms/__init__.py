"""Pages of alarms, their channels and rules, and of owners."""
