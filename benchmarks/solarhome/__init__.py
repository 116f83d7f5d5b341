"""D2: one home with panels and a battery, controlled for a month without foresight, against a published table."""
