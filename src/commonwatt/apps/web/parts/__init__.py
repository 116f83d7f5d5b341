"""What pages are made of: each part returns markup that reads well before a script has touched it."""
