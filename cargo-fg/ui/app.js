// Puts the page together.
