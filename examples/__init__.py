"""What the workflows of the gallery do: the actions behind ``workflows/*.yaml``, on real data."""
