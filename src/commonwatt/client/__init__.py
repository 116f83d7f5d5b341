"""Ask a community's API from Python: typed calls, the same answers, requests signed with a key of one's own."""

from commonwatt.client.client import Client
from commonwatt.client.line import AnswerIsNo

__all__ = ["AnswerIsNo", "Client"]
