"""AWS on one machine: MiniStack started by us, plus the services that it only pretends to have."""
