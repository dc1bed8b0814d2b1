"""Everything that apprise knows how to tell, over HTTPS and by mail."""
