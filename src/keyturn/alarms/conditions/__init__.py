"""What needs somebody in an organization, as one list. Alarms and the overview are made from it."""
