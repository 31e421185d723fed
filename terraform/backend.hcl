# Where Terraform keeps its states, for every root and environment; scripts/state.py adds the key of each.
bucket  = "aws-datalake-platform-tf-state"
region  = "us-east-1"
encrypt = true

# The lock is the object next to the state. The table is kept because operators look there first.
use_lockfile   = true
dynamodb_table = "aws-datalake-platform-tf-locks"
