# Writing the states of this environment, and taking their locks.

locals {
  state = {
    State = { Action = ["s3:PutObject"], Resource = local.arns.state }
    # The lock beside the state.
    Unlock = { Action = ["s3:DeleteObject"], Resource = [for arn in local.arns.state : "${arn}.tflock"] }
    Lock = {
      Action    = ["dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:PutItem"]
      Resource  = local.arns.locks
      Condition = local.lock_keys
    }
  }
}
