# Who may assume a role of people, and what the session must have.

mock_provider "aws" {}

variables {
  name        = "somebody"
  description = "Does something"
  account_id  = "123456789012"
  principals  = ["arn:aws:iam::123456789012:role/a"]
  session     = { mfa = true, source_identity = true }
  statements  = { Read = { Action = ["s3:GetObject"], Resource = ["*"] }, Never = { Effect = "Deny", Action = ["s3:*"], Resource = ["*"] } }
}

run "all_that_is_asked_for_is_demanded" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition == {
      ArnLike    = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/a"] }
      Bool       = { "aws:MultiFactorAuthPresent" = "true" }
      StringLike = { "sts:SourceIdentity" = "?*" }
    }
    error_message = "Who it is, the second factor and the name."
  }
  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Principal == { AWS = "arn:aws:iam::123456789012:root" }
    error_message = "Of this account alone."
  }
  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Effect] == ["Deny", "Allow"]
    error_message = "A statement allows unless it says that it denies."
  }
}

run "a_single_sign_on_has_no_second_factor_of_its_own" {
  command = plan
  variables {
    session = { mfa = false, source_identity = false }
  }
  assert {
    condition     = keys(jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition) == ["ArnLike"]
    error_message = "Who it is still counts."
  }
}
