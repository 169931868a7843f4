"""The page: HTML that a server renders, for people who answer and for those who look after agents."""
