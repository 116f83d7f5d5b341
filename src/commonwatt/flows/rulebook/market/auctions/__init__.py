"""Rules for auctions and reverse auctions of one lot."""
