# These have no value here on purpose: give ALERT_EMAIL and TF_VAR_second_alert_email, TF_VAR_repair_principals, TF_VAR_key_principals,
# TF_VAR_analyst_principals (lists of ARNs as JSON), or write them down.
#   alert_email, second_alert_email, repair_principals, key_principals, analyst_principals
environment = "prod"

people_sessions = { source_identity = true }
