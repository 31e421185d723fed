# alert_email has no value here on purpose: give ALERT_EMAIL, or write it down.
environment = "prod"
