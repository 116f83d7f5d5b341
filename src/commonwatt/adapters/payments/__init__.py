"""Payment providers: what they tell of cards, debits and banks, and what they are asked for."""
