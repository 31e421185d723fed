environment = "dev"
alert_email = "data-platform@example.com"
# Learns when the first one has left.
second_alert_email = "on-call@example.com"
