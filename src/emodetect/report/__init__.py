"""What a clip held, for people: a page and a picture."""
