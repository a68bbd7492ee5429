"""How things are said: events as sentences, values as a reader likes them."""
