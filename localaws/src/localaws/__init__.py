"""AWS on one machine: MiniStack started by us, plus the data planes that it only pretends to have."""
