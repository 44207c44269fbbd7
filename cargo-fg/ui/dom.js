// Creates elements, and formats values.
