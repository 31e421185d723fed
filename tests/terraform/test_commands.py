"""The commands around Terraform: where the provider comes from, what is built, what is bootstrapped."""

import hashlib
import os
import zipfile
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from scripts import bootstrap_state, build, roots
from scripts import terraform as wrapper
from tests.terraform.conftest import REPOSITORY


def mirror(folder: Path) -> Path:
    (folder / wrapper.PROVIDER).mkdir(parents=True)
    return folder


def test_a_configuration_file_that_exists_is_used(tmp_path: Path) -> None:
    given = tmp_path / "given.tfrc"
    given.write_text("")
    assert wrapper.configuration_file({"TF_CLI_CONFIG_FILE": str(given)}, tmp_path) == given


def test_a_configuration_that_is_written_again_is_whole_at_any_moment(tmp_path: Path) -> None:
    """Two commands of one checkout work at once: what one reads the other must not have emptied."""
    (tmp_path / "mirror" / wrapper.PROVIDER).mkdir(parents=True)
    environment = {"TF_PLUGIN_MIRROR": str(tmp_path / "mirror")}
    first = wrapper.configuration_file(environment, tmp_path)
    assert first is not None
    replaced = first.stat().st_ino
    assert wrapper.configuration_file(environment, tmp_path) == first
    assert first.stat().st_ino != replaced
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(first.name)] == [first.name]


def test_a_configuration_file_that_does_not_exist_gives_way_to_a_mirror(tmp_path: Path) -> None:
    named = mirror(tmp_path / "mirror")
    environment = {"TF_CLI_CONFIG_FILE": str(tmp_path / "missing"), "TF_PLUGIN_MIRROR": str(named)}
    written = wrapper.configuration_file(environment, tmp_path / "cache")
    assert written is not None
    assert f'path    = "{named}"' in written.read_text()


def test_a_mirror_in_a_usual_place_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = mirror(tmp_path / "opt/plugins")
    monkeypatch.setattr(wrapper, "USUAL_PLACES", (str(tmp_path / "opt"),))
    assert list(wrapper.mirrors({})) == [found]


def test_without_a_mirror_the_registry_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrapper, "USUAL_PLACES", ())
    environment = wrapper.terraform_environment(
        {"TF_CLI_CONFIG_FILE": "/missing", "TF_PLUGIN_CACHE_DIR": "/x"}, tmp_path
    )
    assert environment.keys() == {"GOGC", "TF_IN_AUTOMATION", "CHECKPOINT_DISABLE"}


def test_who_says_how_often_memory_is_collected_is_heard(tmp_path: Path) -> None:
    said = [wrapper.terraform_environment(given, tmp_path)["GOGC"] for given in ({}, {"GOGC": "50"})]
    assert said == ["400", "50"]


def test_a_mirror_without_the_provider_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(wrapper.TerraformError, match=r"there is no registry\.terraform\.io/hashicorp/aws in it"):
        list(wrapper.mirrors({"TF_PLUGIN_MIRROR": str(tmp_path)}))


def test_a_missing_terraform_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(wrapper.TerraformError, match=r"Terraform 1\.11 or later is needed"):
        wrapper.Terraform("dev", "platform", {"PATH": str(tmp_path)}, cache=tmp_path)


def test_two_builds_have_the_same_bytes(tmp_path: Path) -> None:
    cache = REPOSITORY / ".cache"
    digests = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        built = build.build(folder, cache)
        digests.append({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in built})
    assert digests[0] == digests[1]
    assert {"batch_ingest.zip", "stream_generate.zip"} < digests[0].keys()


def test_a_package_does_not_depend_on_times_modes_and_leftovers(tmp_path: Path) -> None:
    packages = []
    for name, mode, second in (("one", 0o644, 1_000_000_000), ("two", 0o600, 1_700_000_000)):
        source = tmp_path / name / "handler.py"
        source.parent.mkdir()
        source.write_text("def handler(event, context): ...\n")
        source.chmod(mode)
        os.utime(source, (second, second))
        packages.append(tmp_path / f"{name}.zip")
        build.write_package(packages[-1], [source.parent])
        leftover = source.parent / "__pycache__"
        leftover.mkdir()
        (leftover / "handler.pyc").write_bytes(b"x")
        build.write_package(packages[-1], [source.parent])
    assert packages[0].read_bytes() == packages[1].read_bytes()


def test_a_package_is_sorted_whatever_order_the_disk_has(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("z", "a")]
    for folder in folders:
        folder.mkdir()
        (folder / f"{folder.name}.py").write_text("")
    build.write_package(tmp_path / "package.zip", folders)
    with zipfile.ZipFile(tmp_path / "package.zip") as archive:
        assert archive.namelist() == ["a.py", "z.py"]


def test_two_files_of_one_name_in_a_package_are_an_error(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        (folder / "handler.py").write_text("")
    with pytest.raises(build.BuildError, match=r"handler\.py comes from"):
        build.write_package(tmp_path / "package.zip", folders)


def test_bootstrap_may_be_run_again(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        backend = roots.backend("123456789012")
        for word in ("created", "was there"):
            bootstrap_state.bootstrap(backend)
            assert capsys.readouterr().out.count(word) == 2

        s3 = boto3.client("s3", region_name="us-east-1")
        bucket = "aws-datalake-platform-tf-state-123456789012-us-east-1"
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        (rule,) = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        assert all(s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"].values())
        assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=bucket)["Policy"]
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert [rule.get("AbortIncompleteMultipartUpload") for rule in rules] == [None, {"DaysAfterInitiation": 7}]
        dynamodb, name = boto3.client("dynamodb", region_name="us-east-1"), "aws-datalake-platform-tf-locks"
        table = dynamodb.describe_table(TableName=name)["Table"]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["DeletionProtectionEnabled"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
