"""Ways by which notices leave the house: to browsers, by mail, to programs, to Home Assistant."""
