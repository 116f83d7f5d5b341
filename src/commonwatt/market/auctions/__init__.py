"""Auctions and reverse auctions of one lot (row E5): rising, falling and sealed, for who sells and for who buys."""

from commonwatt.market.auctions.auction import Auction, Award, Bid, Phase, Result, Sealed
from commonwatt.market.auctions.standing import Auctions
from commonwatt.market.auctions.terms import Form, Good, Terms

__all__ = ["Auction", "Auctions", "Award", "Bid", "Form", "Good", "Phase", "Result", "Sealed", "Terms"]
