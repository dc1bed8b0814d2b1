"""The kinds of channels: how each is set up, and how it brings a notification to its receiver."""
