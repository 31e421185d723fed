"""A client of a running localaws for tests: makes roles and functions, reads metrics."""

import io
import json
import subprocess
import sys
import urllib.parse
import urllib.request
import zipfile
from datetime import datetime
from typing import Any

import boto3
import jwt
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from localaws import client


class LocalAws(client.LocalAws):
    """A running localaws in which a test makes roles and functions and looks at metrics."""

    def client(self, service: str, session: Any = None) -> Any:
        """A client of the administrator, or of another session."""
        return (session or self.session).client(service, endpoint_url=self.endpoint)

    def idle(self) -> dict[str, Any]:
        """Return what still runs or waits."""
        return dict(self.ask("idle"))

    def query(self, service: str, version: str, **parameters: str) -> str:
        """The raw answer to a signed request in the Query protocol, which some clients still speak."""
        body = urllib.parse.urlencode({**parameters, "Version": version})
        headers = {"content-type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{self.endpoint}/", headers, body)
        SigV4Auth(self.session.get_credentials(), service, "us-east-1").add_auth(request)
        prepared = urllib.request.Request(f"{self.endpoint}/", body.encode(), dict(request.headers))  # noqa: S310 - http only
        with urllib.request.urlopen(prepared) as answer:  # noqa: S310 - http only
            return str(answer.read().decode())

    def role(self, name: str, *statements: dict[str, Any], services: tuple[str, ...] = ()) -> str:
        """Create a role that this account and the services may assume, allowed what the statements say; its ARN."""
        iam = self.client("iam")
        principal = {"AWS": "arn:aws:iam::000000000000:root", "Service": list(services)}
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
        document = {"Version": "2012-10-17", "Statement": [trust]}
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(document))["Role"]["Arn"]
        if statements:
            allowed = [{"Effect": "Allow", "Resource": "*", **statement} for statement in statements]
            policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return str(arn)

    def as_role(self, arn: str) -> Any:
        """A session of the role."""
        keys = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        names = (keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        return boto3.session.Session(*names, region_name="us-east-1")

    def function(self, name: str, code: str, role: str, **settings: Any) -> str:
        """Deploy a function of one file; its ARN."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("handler.py", code)
        functions = self.client("lambda")
        package = {"ZipFile": buffer.getvalue()}
        arn = functions.create_function(
            FunctionName=name, Runtime="python3.13", Role=role, Handler="handler.handler", Code=package, **settings
        )["FunctionArn"]
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1})
        return str(arn)

    def metric(self, namespace: str, name: str, statistic: str = "Sum", **dimensions: str) -> float | None:
        """A statistic over all time of exactly one metric; None when it has no data."""
        points = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
            StartTime="2020-01-01T00:00:00Z",
            EndTime="2100-01-01T00:00:00Z",
            Period=86400 * 365 * 100,
            Statistics=[statistic],
        )["Datapoints"]
        return float(points[0][statistic]) if points else None


class Issuer:
    """An issuer of web identities with a key of its own, such as GitHub's for workflows."""

    def __init__(self, url: str = "https://token.actions.githubusercontent.com") -> None:
        self.url = url
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    @property
    def keys(self) -> dict[str, Any]:
        """Its public keys, a JWKS."""
        public = RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "only", "use": "sig", "alg": "RS256"}]}

    def token(self, issued: datetime, **claims: Any) -> str:
        """A signed token, good for ten minutes; ``claims`` have at least ``sub``, and may replace every other claim."""
        seconds = int(issued.timestamp())
        usual = {"iss": self.url, "aud": "sts.amazonaws.com", "iat": seconds, "exp": seconds + 600}
        return jwt.encode({**usual, **claims}, self._key, algorithm="RS256", headers={"kid": "only"})


def command(words: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run `python -m localaws` with these words, separated by spaces, to its end; it may take 60 s."""
    arguments = [sys.executable, "-m", "localaws", *words.split()]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=60)
