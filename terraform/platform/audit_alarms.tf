# Who asks for the pseudonym key without being one of its readers, and who weakens what protects the lake.

locals {
  _protected_buckets = [for made in [module.lake_bucket, module.code_bucket, module.results_bucket, module.logs_bucket] : made.bucket.name]
  _protected_keys    = [aws_kms_key.lake, aws_kms_key.alerts, aws_kms_key.privacy]
  _secret_ids        = [for name in [local._secret_name, trimsuffix(local._secret_arn, "-??????")] : { prefix = name }]

  _told_calls = {
    pseudonym-key-read = {
      description = "Somebody who is not among its readers asked for the pseudonym key."
      reads       = true
      sources     = ["aws.secretsmanager"]
      detail = {
        eventName = ["GetSecretValue"]
        # Of a call that was denied there may be nothing but the message.
        "$or" = [
          { requestParameters = { secretId = local._secret_ids } },
          { errorMessage = [{ wildcard = "*${local._secret_name}*" }] },
        ]
        # Of a session CloudTrail says the role without its path.
        userIdentity = { arn = [{ anything-but = { wildcard = [
          for arn in local.key_reader_arns : "arn:aws:sts::${local.account_id}:assumed-role/${reverse(split("/", arn))[0]}/*"
        ] } }] }
      }
    }
    protection-changed = {
      description = "Somebody changed what protects the lake: a key, a policy, or the trail that would say so."
      reads       = false
      sources     = ["aws.cloudtrail", "aws.kms", "aws.s3", "aws.secretsmanager"]
      detail = {
        eventName = [
          "DeleteBucketEncryption", "DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucketPublicAccessBlock",
          "DeleteResourcePolicy", "DeleteSecret", "DeleteTrail", "DisableKey", "DisableKeyRotation", "PutBucketEncryption",
          "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketVersioning",
          "PutEventSelectors", "PutKeyPolicy", "PutResourcePolicy", "ScheduleKeyDeletion", "StopLogging", "UpdateTrail",
        ]
        errorCode = [{ exists = false }]
        requestParameters = { "$or" = [
          { bucketName = local._protected_buckets },
          { keyId = flatten([for key in local._protected_keys : [key.key_id, key.arn]]) },
          { secretId = local._secret_ids },
          { name = [local._trail, local._trail_arn] },
          { trailName = [local._trail, local._trail_arn] },
        ] }
      }
    }
  }

  _audit_alarms = { for name, told in module.told_calls : name => {
    description = local._told_calls[name].description
    metric      = told.metric
    evaluation  = { threshold = 0 }
  } }
}

# After all that it watches: what Terraform itself makes is no news.
module "told_calls" {
  source      = "../modules/api_calls"
  for_each    = { for name, told in local._told_calls : name => told if local._audited }
  name        = each.key
  description = each.value.description
  calls       = { sources = each.value.sources, detail = each.value.detail }
  reads       = each.value.reads
  platform    = local.lake
  depends_on = [
    aws_cloudtrail.audit, aws_secretsmanager_secret_policy.pseudonym_key,
    module.lake_bucket, module.code_bucket, module.results_bucket, module.logs_bucket,
  ]
}
