"""Rules for what accounts hold: WATT behind its storage, ERGON and how it is paid in, TSL and its commission."""
