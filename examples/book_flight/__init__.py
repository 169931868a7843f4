"""Books a flight: from a traveller's words to a written itinerary, on the world's real airports."""
