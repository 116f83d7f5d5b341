"""The entrance: people, their ways in, sessions, tokens, invitations and recovery, over a store that keeps them."""
