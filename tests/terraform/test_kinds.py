"""What holds for every resource of a kind, whichever root made it: read from a mocked apply of all of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.terraform.conftest import Resources
from tests.terraform.test_messages import listed
from tests.terraform.test_policies import documents, statements

ACCOUNT = "123456789012"
LOGS = "lake-123456789012-eu-west-1-test-logs"
RESULTS = "lake-123456789012-eu-west-1-test-results"
# Prefix of a bucket that is not the lake's => days until nothing is left of an object.
KEPT = {(LOGS, "s3-access-logs/"): 365, (LOGS, "cloudtrail/"): 365, (RESULTS, "query-results/"): 7}
# Whoever asks a bucket as a whole is told all names in it.
LISTS_ALL = {"lake-iot-firehose-test": "Firehose asks the bucket as a whole before it delivers"}
# One run of a job costs as much as these: https://aws.amazon.com/glue/pricing
WORKERS, WORKER = 2, "G.1X"


def each(platform: Resources, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Address and values of every resource of a kind, of which there has to be one."""
    found = [(address, values) for address, values in platform.items() if values["resource_type"] == kind]
    assert found, kind
    yield from found


def of_bucket(platform: Resources, kind: str) -> dict[str, dict[str, Any]]:
    """Module of a bucket => values of its resource of this kind; every bucket has one."""
    buckets = {address.removesuffix(".aws_s3_bucket.this") for address, _ in each(platform, "aws_s3_bucket")}
    found = {address.removesuffix(f".{kind}.this"): values for address, values in each(platform, kind)}
    assert found.keys() == buckets, kind
    return found


def test_every_bucket_is_closed_to_the_world(platform: Resources) -> None:
    for module, values in of_bucket(platform, "aws_s3_bucket_public_access_block").items():
        closed = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        assert [word for word in closed if values[word] is not True] == [], module
    for module, values in of_bucket(platform, "aws_s3_bucket_ownership_controls").items():
        assert values["rule"] == [{"object_ownership": "BucketOwnerEnforced"}], module


def test_every_bucket_keeps_old_versions_and_does_not_go_with_what_is_in_it(platform: Resources) -> None:
    for module, values in of_bucket(platform, "aws_s3_bucket_versioning").items():
        assert values["versioning_configuration"][0]["status"] == "Enabled", module
    assert [address for address, bucket in each(platform, "aws_s3_bucket") if bucket["force_destroy"]] == []


def test_every_bucket_is_encrypted_with_our_key_and_asks_for_it_once_a_while(platform: Resources) -> None:
    found = of_bucket(platform, "aws_s3_bucket_server_side_encryption_configuration")
    for module, values in found.items():
        (rule,) = values["rule"]
        (default,) = rule["apply_server_side_encryption_by_default"]
        # S3 delivers access logs only to a bucket that encrypts with AES256.
        of_logs = module == "module.logs_bucket"
        key = None if of_logs else platform["aws_kms_key.lake"]["arn"]
        assert (default["sse_algorithm"], default["kms_master_key_id"]) == ("AES256" if of_logs else "aws:kms", key)
        assert rule["bucket_key_enabled"] is not of_logs, module


def test_every_bucket_but_that_of_the_logs_says_who_read_it(platform: Resources) -> None:
    logged = {address.split(".aws_")[0]: of["target_bucket"] for address, of in each(platform, "aws_s3_bucket_logging")}
    buckets = {address.split(".aws_")[0]: of["bucket"] for address, of in each(platform, "aws_s3_bucket")}
    assert logged == {module: LOGS for module, name in buckets.items() if name != LOGS}


def test_every_bucket_clears_up_after_itself(platform: Resources) -> None:
    for module, values in of_bucket(platform, "aws_s3_bucket_lifecycle_configuration").items():
        assert {rule["status"] for rule in values["rule"]} == {"Enabled"}, module
        (rule,) = (rule for rule in values["rule"] if rule["id"] == "housekeeping")
        assert rule["noncurrent_version_expiration"][0]["noncurrent_days"] == 30, module
        assert rule["abort_incomplete_multipart_upload"] == [{"days_after_initiation": 7}], module


def test_logs_and_results_are_kept_as_long_as_is_said_here(platform: Resources) -> None:
    names = {
        address.removesuffix(".aws_s3_bucket.this"): of["bucket"] for address, of in each(platform, "aws_s3_bucket")
    }
    found = {
        (names[module], rule["filter"][0]["prefix"]): rule["expiration"][0]["days"]
        + rule["noncurrent_version_expiration"][0]["noncurrent_days"]
        for module, values in of_bucket(platform, "aws_s3_bucket_lifecycle_configuration").items()
        for rule in values["rule"]
        if rule["id"] != "housekeeping" and module != "module.lake_bucket"
    }
    assert found == KEPT


def test_a_bucket_lets_services_in_alone_and_on_behalf_of_our_account_and_things(platform: Resources) -> None:
    let_in = [
        (address, of)
        for address, granted in documents(platform, "aws_s3_bucket_policy").items()
        for of in granted
        if of["Effect"] == "Allow"
    ]
    assert let_in
    for address, of in let_in:
        assert list(of["Principal"]) == ["Service"], address
        conditions = {key: value for tests in of["Condition"].values() for key, value in tests.items()}
        sources = listed(conditions["aws:SourceArn"])
        assert sources and not [arn for arn in sources if "*" in arn], address
        # The name of a bucket does not say whose it is.
        ours = conditions.get("aws:SourceAccount") == ACCOUNT or all(f":{ACCOUNT}:" in arn for arn in sources)
        assert ours, address


def test_every_key_is_rotated_and_lost_only_after_a_month(platform: Resources) -> None:
    for address, key in each(platform, "aws_kms_key"):
        assert (key["enable_key_rotation"], key["deletion_window_in_days"]) == (True, 30), address


def test_a_key_is_for_our_account_and_for_services_that_are_named(platform: Resources) -> None:
    named = {f"{name}.amazonaws.com" for name in ("cloudtrail", "cloudwatch", "events", "logs.eu-west-1")}
    for address, granted in documents(platform, "aws_kms_key").items():
        for of in granted:
            services = listed(of["Principal"].get("Service", []))
            assert set(services) <= named, address
            assert services or of["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, address
            if services == ["cloudtrail.amazonaws.com"]:
                assert f":{ACCOUNT}:trail/" in of["Condition"]["StringEquals"]["aws:SourceArn"], address
            if services == ["logs.eu-west-1.amazonaws.com"]:
                ((key, pattern),) = of["Condition"]["ArnLike"].items()
                assert (key, ACCOUNT in pattern) == ("kms:EncryptionContext:aws:logs:arn", True), address


def test_the_privacy_key_opens_and_seals_the_one_secret(platform: Resources) -> None:
    for of in documents(platform, "aws_kms_key")["aws_kms_key.privacy"]:
        if of["Sid"] in ("ReadTheSecret", "WriteTheSecret"):
            patterns = listed(of["Condition"]["StringLike"]["kms:EncryptionContext:SecretARN"])
            assert patterns == [f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:lake-pseudonym-key-test-??????"], (
                of["Sid"]
            )


def test_the_ledger_can_be_brought_back_and_is_under_our_key(platform: Resources) -> None:
    for address, table in each(platform, "aws_dynamodb_table"):
        assert [of["enabled"] for of in table["point_in_time_recovery"]] == [True], address
        (encryption,) = table["server_side_encryption"]
        assert (encryption["enabled"], encryption["kms_key_arn"]) == (True, platform["aws_kms_key.lake"]["arn"])


def test_what_failed_is_kept_for_two_weeks_and_encrypted(platform: Resources) -> None:
    for address, queue in each(platform, "aws_sqs_queue"):
        assert queue["message_retention_seconds"] == 14 * 86_400, address
        assert queue["sqs_managed_sse_enabled"] is True, address


def test_the_policy_of_a_topic_allows_to_publish_and_nothing_else(platform: Resources) -> None:
    for address, granted in documents(platform, "aws_sns_topic_policy").items():
        assert {of["Action"] for of in granted if of["Effect"] == "Allow"} == {"sns:Publish"}, address


def test_every_alarm_acts(platform: Resources) -> None:
    for address, alarm in each(platform, "aws_cloudwatch_metric_alarm"):
        assert alarm["actions_enabled"] is not False, address
        assert alarm["alarm_actions"] and alarm["ok_actions"], address


def test_every_schedule_and_every_rule_is_on(platform: Resources) -> None:
    for kind in ("aws_scheduler_schedule", "aws_cloudwatch_event_rule"):
        assert [address for address, values in each(platform, kind) if values["state"] == "DISABLED"] == []


def test_a_schedule_means_utc_and_does_not_start_what_is_long_over(platform: Resources) -> None:
    for address, schedule in each(platform, "aws_scheduler_schedule"):
        assert schedule["schedule_expression_timezone"] == "UTC", address
        (retry,) = schedule["target"][0]["retry_policy"]
        assert retry["maximum_event_age_in_seconds"] == 3600, address


def test_every_function_is_published_and_called_by_an_alias_of_a_published_version(platform: Resources) -> None:
    aliased = {values["function_name"]: values for _, values in each(platform, "aws_lambda_alias")}
    for address, function in each(platform, "aws_lambda_function"):
        assert function["publish"] is True, address
        alias = aliased[function["function_name"]]
        assert (alias["name"], alias["function_version"]) == ("live", function["version"]), address
    for address, schedule in each(platform, "aws_scheduler_schedule"):
        arn = schedule["target"][0]["arn"]
        assert ":lambda:" not in arn or arn.endswith(":live"), address
    for address, stream in each(platform, "aws_kinesis_firehose_delivery_stream"):
        assert parameter(stream, "LambdaArn").endswith(":live"), address


def parameter(stream: dict[str, Any], name: str) -> str:
    """What a delivery stream tells its processor."""
    (processing,) = stream["extended_s3_configuration"][0]["processing_configuration"]
    assert processing["enabled"] is True
    (found,) = (
        of["parameter_value"] for of in processing["processors"][0]["parameters"] if of["parameter_name"] == name
    )
    return str(found)


def test_an_invocation_is_tried_again_by_the_alias_and_every_function_keeps_its_settings_under_our_key(
    platform: Resources,
) -> None:
    tried = {values["function_name"]: values for _, values in each(platform, "aws_lambda_function_event_invoke_config")}
    ours = {key["arn"] for _, key in each(platform, "aws_kms_key")}
    for address, function in each(platform, "aws_lambda_function"):
        asynchronous = tried[function["function_name"]]
        assert asynchronous["qualifier"] == "live", address
        assert (asynchronous["maximum_retry_attempts"], asynchronous["maximum_event_age_in_seconds"]) == (2, 3600)
        assert function["kms_key_arn"] in ours, address


def test_every_stream_is_encrypted_with_our_key_and_says_why_it_could_not_deliver(platform: Resources) -> None:
    key = platform["aws_kms_key.lake"]["arn"]
    for address, stream in each(platform, "aws_kinesis_firehose_delivery_stream"):
        (waiting,) = stream["server_side_encryption"]
        assert (waiting["enabled"], waiting["key_type"], waiting["key_arn"]) == (True, "CUSTOMER_MANAGED_CMK", key)
        (stored,) = stream["extended_s3_configuration"]
        assert stored["kms_key_arn"] == key, address
        assert stored["cloudwatch_logging_options"][0]["enabled"] is True, address


def test_no_stream_collects_for_as_long_as_its_alarm_lets_it(platform: Resources) -> None:
    thresholds = {
        alarm["dimensions"]["DeliveryStreamName"]: alarm["threshold"]
        for _, alarm in each(platform, "aws_cloudwatch_metric_alarm")
        if alarm["metric_name"] == "DeliveryToS3.DataFreshness"
    }
    for address, stream in each(platform, "aws_kinesis_firehose_delivery_stream"):
        assert 2 * stream["extended_s3_configuration"][0]["buffering_interval"] <= thresholds[stream["name"]], address


def test_a_job_runs_once_at_what_it_is_said_to_cost(platform: Resources) -> None:
    for address, job in each(platform, "aws_glue_job"):
        assert (job["max_retries"], job["number_of_workers"], job["worker_type"]) == (0, WORKERS, WORKER), address
        at_once = 3 if "-repairs" in job["name"] else 1
        assert job["execution_property"] == [{"max_concurrent_runs": at_once}], address


def test_nobody_who_starts_a_job_gives_it_code_or_a_package_index(platform: Resources) -> None:
    """Every argument of Glue that brings code is the job's own: what a run gives for these is ignored."""
    for address, job in each(platform, "aws_glue_job"):
        fixed = job["non_overridable_arguments"]
        assert not job["default_arguments"], address
        bringing = {
            "--scriptLocation", "--extra-py-files", "--additional-python-modules", "--user-jars-first", "--conf",
            "--python-modules-installer-option",
        }  # fmt: skip
        assert bringing <= fixed.keys(), address
        assert fixed["--python-modules-installer-option"] == "--no-index --no-deps", address


def test_a_service_acts_on_behalf_of_our_account_where_it_says_for_whom(platform: Resources) -> None:
    for address, role in each(platform, "aws_iam_role"):
        (trust,) = json.loads(role["assume_role_policy"])["Statement"]
        if trust["Principal"].get("Service") in ("firehose.amazonaws.com", "scheduler.amazonaws.com"):
            assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}, address


def granted(platform: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every role with each statement that allows it something."""
    for _, role in each(platform, "aws_iam_role"):
        for of in statements(platform, role["name"]):
            if of["Effect"] == "Allow":
                yield role["name"], of


def test_whoever_lists_a_bucket_is_told_names_below_his_prefixes(platform: Resources) -> None:
    unlimited = {
        name
        for name, of in granted(platform)
        if any(action.startswith("s3:ListBucket") for action in of["Action"])
        and "s3:prefix" not in of.get("Condition", {}).get("StringLike", {})
    }
    assert unlimited == LISTS_ALL.keys()


def test_whoever_writes_lines_writes_them_into_his_own_logs(platform: Resources) -> None:
    for name, of in granted(platform):
        if any(action.startswith("logs:") for action in of["Action"]):
            groups = {re.sub(r".*:log-group:(.*):\*$", r"\1", arn) for arn in of["Resource"]}
            assert groups and {name in group.split("/") for group in groups} == {True}, (name, groups)


def test_an_audit_is_written_only_where_there_is_none(platform: Resources) -> None:
    writers = {
        name: of.get("Condition")
        for name, of in granted(platform)
        if "s3:PutObject" in of["Action"] and any("/ops/audits/" in arn for arn in of["Resource"])
    }
    assert writers
    assert {name for name, of in writers.items() if of != {"Null": {"s3:if-none-match": "false"}}} == set()
