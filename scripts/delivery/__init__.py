"""What the workflows of .github/workflows do: a step of theirs is one command of a module here."""
