"""Where requests come in as bytes: a socket that takes them in bulk and answers when they are durable."""
