"""The line between a log and its witnesses, over HTTP."""
