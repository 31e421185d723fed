import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localaws.testing import LocalAws

TEXT = {"type": "text", "x": 0, "y": 0, "width": 24, "height": 2, "properties": {"markdown": "# A & B < C"}}


def test_a_dashboard_comes_back_as_it_was_put_until_it_is_deleted(aws: LocalAws) -> None:
    client = aws.client("cloudwatch")
    body = json.dumps({"widgets": [TEXT]})
    client.put_dashboard(DashboardName="mine", DashboardBody=body)
    assert client.get_dashboard(DashboardName="mine")["DashboardBody"] == body
    listed = client.list_dashboards(DashboardNamePrefix="mi")["DashboardEntries"]
    assert [(entry["DashboardName"], entry["Size"]) for entry in listed] == [("mine", len(body))]
    client.delete_dashboards(DashboardNames=["mine"])
    with pytest.raises(ClientError, match="does not exist"):
        client.get_dashboard(DashboardName="mine")


def test_its_text_survives_the_query_protocol(aws: LocalAws) -> None:
    body = json.dumps({"widgets": [TEXT]})
    aws.query("monitoring", "2010-08-01", Action="PutDashboard", DashboardName="xml", DashboardBody=body)
    assert aws.client("cloudwatch").get_dashboard(DashboardName="xml")["DashboardBody"] == body
    answer = aws.query("monitoring", "2010-08-01", Action="GetDashboard", DashboardName="xml")
    assert "# A &amp; B &lt; C" in answer


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "valid JSON"),
        ("[]", "widgets"),
        ({"widgets": [{"type": "chart", "properties": {}}]}, "/widgets/0/type"),
        ({"widgets": [TEXT, {"type": "metric", "properties": {"metrics": []}}]}, "/widgets/1/properties"),
        ({"widgets": [{**TEXT, "x": 12}]}, "24 columns"),
    ],
)
def test_what_is_no_dashboard_is_refused(aws: LocalAws, body: Any, reason: str) -> None:
    text = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(ClientError, match=reason) as caught:
        aws.client("cloudwatch").put_dashboard(DashboardName="wrong", DashboardBody=text)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
