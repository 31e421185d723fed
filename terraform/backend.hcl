# What is the same for the states of all roots, environments and accounts. scripts/terraform.py adds the bucket and the lock
# table of the account, and the key of each state.
region  = "us-east-1"
encrypt = true

# The lock is the object next to the state. The table is kept because operators look there first: docs/adr/0012.
use_lockfile = true
