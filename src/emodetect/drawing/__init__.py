"""What the overlay is made of: colours, words, letters, places, and the strip of the last seconds."""
