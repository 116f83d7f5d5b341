"""Rules for statements, and for plans and the consent to them."""
