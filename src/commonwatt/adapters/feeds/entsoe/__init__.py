"""Day-ahead prices as the transparency platform of ENTSO-E publishes them."""
