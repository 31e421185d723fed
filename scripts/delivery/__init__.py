"""Steps of the workflows in .github/workflows: each is one command of a module here."""
