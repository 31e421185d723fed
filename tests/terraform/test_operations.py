"""What an operator relies on: alarms that arrive, failures that are kept, limits that hold."""

import json
from typing import Any

from tests.terraform.conftest import FIRST, Resources, contracts


def of_type(platform: Resources, kind: str) -> list[dict[str, Any]]:
    return [values for values in platform.values() if values["resource_type"] == kind]


def test_what_could_not_be_started_or_finished_is_kept(platform: Resources, first: Resources) -> None:
    queue = platform["aws_sqs_queue.dead_letters"]["arn"]
    for schedule in of_type(platform, "aws_scheduler_schedule"):
        (target,) = schedule["target"]
        assert target["dead_letter_config"] == [{"arn": queue}]
        assert target["retry_policy"][0]["maximum_retry_attempts"] > 0
    for target in of_type(platform, "aws_cloudwatch_event_target"):
        assert target["dead_letter_config"] == [{"arn": queue}]
        assert target["retry_policy"][0]["maximum_retry_attempts"] > 0
    invocations = of_type(platform, "aws_lambda_function_event_invoke_config")
    assert len(invocations) == len(of_type(platform, "aws_lambda_function"))
    assert len(of_type(first, "aws_lambda_function")) == 4
    for invocation in invocations:
        assert invocation["destination_config"][0]["on_failure"] == [{"destination": queue}]


def test_schedules_start_the_right_things_at_the_planned_time(first: Resources) -> None:
    schedules = {values["name"]: values for values in of_type(first, "aws_scheduler_schedule")}
    expressions = {name: values["schedule_expression"] for name, values in schedules.items()}
    assert expressions == {
        "lake-batch-ingest-test": "cron(15 0 * * ? *)",
        "lake-stream-generate-test": "rate(5 minutes)",
        "lake-transform-test": "rate(1 hour)",
        "lake-watch-test": "rate(5 minutes)",
    }
    assert schedules["lake-batch-ingest-test"]["target"][0]["input"] == '{"time":"<aws.scheduler.scheduled-time>"}'
    transform = schedules["lake-transform-test"]["target"][0]
    assert transform["arn"] == "arn:aws:scheduler:::aws-sdk:glue:startJobRun"
    assert json.loads(transform["input"]) == {"JobName": "lake-transform-test"}


def test_a_job_gets_exactly_what_it_declares(platform: Resources) -> None:
    (job,) = (job for job in of_type(platform, "aws_glue_job") if job["name"] == "lake-transform-test")
    arguments = job["non_overridable_arguments"]
    made = [loaded for loaded in contracts(FIRST) if loaded.made_from]
    quarantines = [loaded.quarantine() for loaded in made if loaded.has_quarantine]
    tables = {
        table.name: f"s3://lake-123456789012-eu-west-1-test-datalake/{table.path}/" for table in (*made, *quarantines)
    }
    assert "curated_city_hours" in tables
    assert json.loads(arguments["--reads"]).keys() == {loaded.source for loaded in made if loaded.source}
    assert json.loads(arguments["--writes"]) == {
        **tables,
        "pipeline_runs": "s3://lake-123456789012-eu-west-1-test-datalake/ops/runs/",
    }
    assert tables["curated_weather"] == "s3://lake-123456789012-eu-west-1-test-datalake/curated/weather/"
    assert (
        tables["quarantine_curated_sensor_readings"]
        == "s3://lake-123456789012-eu-west-1-test-datalake/quarantine/sensor-readings/"
    )
    assert job["execution_property"] == [{"max_concurrent_runs": 1}]
    assert (job["timeout"], arguments["--time_limit_minutes"]) == (30, "30")
    assert arguments["--enable-observability-metrics"] == "true"
    assert (arguments["--environment"], arguments["--metrics_namespace"]) == ("test", "lake")


def test_a_failed_run_of_any_kind_is_an_event_for_the_topic(first: Resources) -> None:
    patterns = [json.loads(rule["event_pattern"]) for rule in of_type(first, "aws_cloudwatch_event_rule")]
    details = [pattern["detail"] for pattern in patterns if pattern["source"] == ["aws.glue"]]
    assert sorted(detail["jobName"] for detail in details) == [
        ["lake-erase-test"],
        ["lake-transform-test", "lake-transform-repairs-test"],
    ]
    assert all(detail["state"] == ["ERROR", "FAILED", "STOPPED", "TIMEOUT"] for detail in details)
    targets = {target["arn"] for target in of_type(first, "aws_cloudwatch_event_target")}
    assert targets == {first["aws_sns_topic.alerts"]["arn"]}


def test_what_watches_finds_the_pipelines_and_needs_the_key_of_the_lake_for_the_ledger_alone(
    platform: Resources,
) -> None:
    (function,) = (f for f in of_type(platform, "aws_lambda_function") if f["function_name"] == "lake-watch-test")
    lake_key, alerts_key = (platform[f"aws_kms_key.{name}"]["arn"] for name in ("lake", "alerts"))
    assert lake_key != alerts_key == function["kms_key_arn"]
    assert json.loads(function["environment"][0]["variables"]["WATCHED"]) == {
        "pipelines": "/lake/lake/test/pipelines",
        "ledger": "lake-ledger-test",
        "topic": platform["aws_sns_topic.alerts"]["arn"],
        "keys": [lake_key, alerts_key, platform["aws_kms_key.privacy"]["arn"]],
    }


def test_a_pipeline_registers_every_promise_and_which_job_repairs_a_dataset(platform: Resources) -> None:
    registered = json.loads(platform["weather_iot: aws_ssm_parameter.pipeline"]["value"])
    assert registered["freshness"] == {
        "raw_weather": 93600, "raw_iot_sensors": 900, "curated_weather": 7200, "curated_sensor_readings": 7200,
        "curated_city_hours": 7200,
    }  # fmt: skip
    assert registered["datasets"]["raw_weather"] == "s3://lake-123456789012-eu-west-1-test-datalake/raw/weather/"
    assert (
        registered["datasets"].keys() == {loaded.name for loaded in contracts(FIRST)} >= registered["freshness"].keys()
    )
    made = [loaded.name for loaded in contracts(FIRST) if loaded.made_from]
    assert {"curated_sensor_readings", "curated_weather"} <= set(made)
    assert registered["repairs"] == dict.fromkeys(made, "lake-transform-repairs-test")


def test_what_is_registered_fits_into_a_parameter_of_the_standard_tier(platform: Resources) -> None:
    parameters = of_type(platform, "aws_ssm_parameter")
    assert len(parameters) > 1
    # Names are longer on AWS than in this mocked apply, whose project is "lake": leave room.
    assert [p["name"] for p in parameters if len(p["value"]) > 3000] == []


def test_retention_follows_the_contracts(platform: Resources) -> None:
    rules = {
        rule["filter"][0]["prefix"]: rule
        for rule in platform["module.lake_bucket.aws_s3_bucket_lifecycle_configuration.this"]["rule"]
        if rule["id"] != "housekeeping"
    }
    # An object that expires is an old version for some days more; both together are what was promised.
    old = {prefix: rule["noncurrent_version_expiration"][0]["noncurrent_days"] for prefix, rule in rules.items()}
    assert min(old.values()) > 0
    days = {prefix: rule["expiration"][0]["days"] + old[prefix] for prefix, rule in rules.items()}
    promised = {f"{loaded.path}/": loaded.retention_days for loaded in contracts()}
    listed = {
        "raw/weather/": 365,
        "raw/iot-sensors/": 365,
        "curated/weather/": 3650,
        "curated/sensor-readings/": 3650,
        "quarantine/": 365,
        "ops/runs/": 3650,
        "staging/": 7,
        "glue-temp/": 7,
        "firehose-errors/": 90,
        "set-aside/": 90,
    }
    assert days == {**promised, **listed}
    assert promised.items() & listed.items() == {entry for entry in listed.items() if entry[0] in promised}
    moved = {prefix for prefix, rule in rules.items() if rule["transition"]}
    assert moved == {prefix for prefix in promised if prefix.startswith("raw/")} >= {"raw/weather/", "raw/iot-sensors/"}


def test_functions_have_limits_and_no_secret(platform: Resources) -> None:
    for function in of_type(platform, "aws_lambda_function"):
        assert 60 <= function["timeout"] <= 120
        assert function["runtime"] == "python3.13"
        assert function["reserved_concurrent_executions"] == -1, "a new account has no concurrency to reserve"
        assert function["logging_config"][0]["log_format"] == "JSON"
        variables = function["environment"][0]["variables"]
        assert not [name for name in variables if any(word in name for word in ("KEY", "SECRET", "PASSWORD", "TOKEN"))]
    for group in of_type(platform, "aws_cloudwatch_log_group"):
        assert group["retention_in_days"] == 14
        key = "alerts" if group["name"] == "/aws/lambda/lake-watch-test" else "lake"
        assert group["kms_key_id"] == platform[f"aws_kms_key.{key}"]["arn"]


def test_a_workgroup_enforces_place_encryption_and_a_limit(platform: Resources) -> None:
    places = {}
    for workgroup in of_type(platform, "aws_athena_workgroup"):
        (configuration,) = workgroup["configuration"]
        assert configuration["enforce_workgroup_configuration"]
        assert configuration["bytes_scanned_cutoff_per_query"] == 10 * 1024**3
        (result,) = configuration["result_configuration"]
        (encryption,) = result["encryption_configuration"]
        assert encryption == {"encryption_option": "SSE_KMS", "kms_key_arn": platform["aws_kms_key.lake"]["arn"]}
        places[workgroup["name"]] = (result["output_location"], result["expected_bucket_owner"])
    results = "s3://lake-123456789012-eu-west-1-test-results/query-results/"
    assert places == {
        "lake-analytics-test": (results, "123456789012"),
        "lake-analysts-test": (f"{results}analysts/", "123456789012"),
    }
