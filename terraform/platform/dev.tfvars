environment = "dev"
alert_email = "data-platform@example.com"
