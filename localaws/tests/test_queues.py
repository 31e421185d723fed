from localaws.testing import LocalAws


def test_a_queue_says_each_minute_what_waits_what_is_worked_on_and_how_old_it_is(aws: LocalAws) -> None:
    client = aws.client("sqs")
    url = client.create_queue(QueueName="measured", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    for body in "abc":
        client.send_message(QueueUrl=url, MessageBody=body)
    client.receive_message(QueueUrl=url)
    aws.advance(180)

    def newest(name: str) -> float | None:
        return aws.metric("AWS/SQS", name, "Maximum", QueueName="measured")

    assert newest("ApproximateNumberOfMessagesVisible") == 2
    assert newest("ApproximateNumberOfMessagesNotVisible") == 1
    assert 180 <= (newest("ApproximateAgeOfOldestMessage") or 0) < 190
    assert aws.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "SampleCount", QueueName="measured") == 3


def test_an_empty_queue_says_so_too(aws: LocalAws) -> None:
    aws.client("sqs").create_queue(QueueName="empty")
    aws.advance(60)
    assert aws.metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="empty") == 0
    assert aws.metric("AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName="empty") == 0
