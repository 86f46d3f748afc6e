"""boto3, unmodified: waiters, paginators, and the polling after writes that infrastructure tools do.

    sdk.py URL
"""

import io
import json
import os
import sys
import time
import urllib.request
import zipfile

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

URL = sys.argv[1]
ROLE = "arn:aws:iam::000000000000:role/sdk"
session = boto3.Session("sdk", "sdk", region_name="us-east-1")


def client(name):
    return session.client(name, endpoint_url=URL)


def package(text):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("app.py", text)
    return out.getvalue()


def all_of(on, operation, key, **arguments):
    """Everything a paginator gives, page by page."""
    pages = on.get_paginator(operation).paginate(**arguments)
    return [item for page in pages for item in page.get(key, [])]


def functions():
    on = client("lambda")
    names = [f"sdk-{number:02}" for number in range(55)]
    for name in names:
        on.create_function(
            FunctionName=name, Runtime="python3.13", Role=ROLE, Handler="app.handler",
            Code={"ZipFile": package("def handler(event, context): return event")},
        )
    on.get_waiter("function_active_v2").wait(FunctionName=names[-1])
    on.get_waiter("function_exists").wait(FunctionName=names[0])
    # More than a page of fifty.
    found = [f["FunctionName"] for f in all_of(on, "list_functions", "Functions")]
    assert set(names) <= set(found) and len(found) == len(set(found)), found

    name = names[0]
    for number in range(3):
        on.update_function_code(FunctionName=name, ZipFile=package(f"V = {number}\ndef handler(e, c): return V"))
        on.get_waiter("function_updated_v2").wait(FunctionName=name)
        version = on.publish_version(FunctionName=name)["Version"]
        on.get_waiter("published_version_active").wait(FunctionName=name, Qualifier=version)
        on.create_alias(FunctionName=name, Name=f"a{number}", FunctionVersion=version)
    versions = all_of(on, "list_versions_by_function", "Versions", FunctionName=name,
                      PaginationConfig={"PageSize": 1})
    assert [v["Version"] for v in versions] == ["$LATEST", "1", "2", "3"], versions
    aliases = all_of(on, "list_aliases", "Aliases", FunctionName=name, PaginationConfig={"PageSize": 2})
    assert [a["Name"] for a in aliases] == ["a0", "a1", "a2"]
    answer = on.invoke(FunctionName=name, Qualifier="a1", Payload=b"{}")
    assert (json.load(answer["Payload"]), answer["ExecutedVersion"]) == (1, "2")

    # The same as a stream of events, and over HTTP.
    stream = on.invoke_with_response_stream(FunctionName=name, Qualifier="a1", LogType="Tail")
    *chunks, end = stream["EventStream"]
    assert b"".join(chunk["PayloadChunk"]["Payload"] for chunk in chunks) == b"1", chunks
    assert set(end["InvokeComplete"]) == {"LogResult"}, end
    url = on.create_function_url_config(FunctionName=name, Qualifier="a2", AuthType="NONE")["FunctionUrl"]
    on.add_permission(FunctionName=name, Qualifier="a2", StatementId="all", Principal="*",
                      Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE")
    with urllib.request.urlopen(url + "any/path") as response:
        assert (response.status, response.read()) == (200, b"2")

    # As tests against `sam local start-lambda` call it: unsigned, impatient and only once.
    sam = boto3.client(
        "lambda", region_name="us-east-1", endpoint_url=URL, verify=False,
        config=Config(signature_version=UNSIGNED, read_timeout=5, retries={"max_attempts": 0}),
    )
    answer = sam.invoke(FunctionName=name, Payload=json.dumps({"DeploymentId": "d-1"}))
    assert (answer["StatusCode"], json.load(answer["Payload"])) == (200, 2), answer

    revision = on.get_alias(FunctionName=name, Name="a0")["RevisionId"]
    on.update_alias(FunctionName=name, Name="a0", FunctionVersion="2", RevisionId=revision)
    try:
        on.update_alias(FunctionName=name, Name="a0", FunctionVersion="3", RevisionId=revision)
        raise AssertionError("an old revision was taken")
    except on.exceptions.PreconditionFailedException as error:
        assert error.response["Type"] == "User"
    for name in names:
        on.delete_function(FunctionName=name)


def metrics():
    on = client("cloudwatch")
    now = time.time()
    on.put_metric_data(
        Namespace="sdk",
        MetricData=[
            {"MetricName": f"m{number}", "Dimensions": [{"Name": "n", "Value": str(number)}],
             "Timestamp": now - 300, "Values": [1.0, 2.0], "Counts": [3.0, 1.0], "Unit": "Count"}
            for number in range(600)
        ],
    )
    assert len(all_of(on, "list_metrics", "Metrics", Namespace="sdk")) == 600
    metric = {"Namespace": "sdk", "MetricName": "m7", "Dimensions": [{"Name": "n", "Value": "7"}]}
    stat = {"Metric": metric, "Period": 60, "Stat": "Sum"}
    data = all_of(
        on, "get_metric_data", "MetricDataResults", StartTime=now - 900, EndTime=now + 60,
        MetricDataQueries=[{"Id": "a", "MetricStat": stat}, {"Id": "b", "Expression": "a * 2"}],
    )
    assert [result["Values"] for result in data] == [[5.0], [10.0]], data
    for number in range(5):
        on.put_metric_alarm(
            AlarmName=f"sdk-{number}", EvaluationPeriods=1, Threshold=1, Statistic="Sum", Period=60,
            ComparisonOperator="GreaterThanThreshold", Namespace="sdk", MetricName="m7",
        )
    on.get_waiter("alarm_exists").wait(AlarmNames=["sdk-4"])
    alarms = all_of(on, "describe_alarms", "MetricAlarms", AlarmNamePrefix="sdk-",
                    PaginationConfig={"PageSize": 2})
    assert [alarm["AlarmName"] for alarm in alarms] == [f"sdk-{number}" for number in range(5)]
    on.set_alarm_state(AlarmName="sdk-0", StateValue="ALARM", StateReason="told so")
    history = all_of(on, "describe_alarm_history", "AlarmHistoryItems", AlarmName="sdk-0")
    assert {"ConfigurationUpdate", "StateUpdate"} <= {item["HistoryItemType"] for item in history}
    on.delete_alarms(AlarmNames=[f"sdk-{number}" for number in range(5)])


def identity():
    on = client("sts")
    assert on.get_caller_identity()["Account"] == "000000000000"


def artifacts():
    on = client("s3")
    on.create_bucket(Bucket="sdk-artifacts")
    on.get_waiter("bucket_exists").wait(Bucket="sdk-artifacts")
    # Large enough to go up in parts.
    large = bytes(range(256)) * (80 << 10)
    on.upload_fileobj(io.BytesIO(large), "sdk-artifacts", "large.bin")
    on.get_waiter("object_exists").wait(Bucket="sdk-artifacts", Key="large.bin")
    back = io.BytesIO()
    on.download_fileobj("sdk-artifacts", "large.bin", back)
    assert back.getvalue() == large
    for number in range(5):
        on.put_object(Bucket="sdk-artifacts", Key=f"many/{number}", Body=b"x")
    found = all_of(on, "list_objects_v2", "Contents", Bucket="sdk-artifacts", Prefix="many/",
                   PaginationConfig={"PageSize": 2})
    assert [item["Key"] for item in found] == [f"many/{number}" for number in range(5)]
    keys = [{"Key": item["Key"]} for item in all_of(on, "list_objects_v2", "Contents", Bucket="sdk-artifacts")]
    on.delete_objects(Bucket="sdk-artifacts", Delete={"Objects": keys})
    on.delete_bucket(Bucket="sdk-artifacts")


def versions_and_tags():
    on, bucket = client("s3"), "sdk-versions"
    on.create_bucket(Bucket=bucket)
    on.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert on.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    put = [on.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"one", b"two")]
    on.get_waiter("object_exists").wait(Bucket=bucket, Key="k")
    on.delete_object(Bucket=bucket, Key="k")
    on.get_waiter("object_not_exists").wait(Bucket=bucket, Key="k")
    found = all_of(on, "list_object_versions", "Versions", Bucket=bucket, PaginationConfig={"PageSize": 1})
    assert [version["VersionId"] for version in found] == put[::-1], found
    first = {"Bucket": bucket, "Key": "k", "VersionId": put[0]}
    assert on.get_object(**first)["Body"].read() == b"one"
    whole = on.get_object_attributes(**first, ObjectAttributes=["ETag", "ObjectSize", "Checksum"])
    assert whole["ObjectSize"] == 3 and "ChecksumCRC32" in whole["Checksum"], whole
    tags = {"TagSet": [{"Key": "team", "Value": "shop"}]}
    on.put_object_tagging(**first, Tagging=tags)
    assert on.get_object_tagging(**first)["TagSet"] == tags["TagSet"]
    on.delete_object_tagging(**first)
    on.put_bucket_tagging(Bucket=bucket, Tagging=tags)
    assert on.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags["TagSet"]
    on.delete_bucket_tagging(Bucket=bucket)
    everything = on.list_object_versions(Bucket=bucket)
    for version in everything["Versions"] + everything["DeleteMarkers"]:
        on.delete_object(Bucket=bucket, Key="k", VersionId=version["VersionId"])
    on.delete_bucket(Bucket=bucket)


def whole_policies():
    on, name = client("lambda"), "sdk-policies"
    # An older boto3 does not know them: CI has the one that the models are from.
    if not hasattr(on, "put_resource_policy") and "CI" not in os.environ:
        return
    arn = on.create_function(
        FunctionName=name, Runtime="python3.13", Role=ROLE, Handler="app.handler", Publish=True,
        Code={"ZipFile": package("def handler(event, context): return event")},
    )["FunctionArn"].removesuffix(":1")
    on.get_waiter("function_active_v2").wait(FunctionName=name)
    statement = {"Sid": "s3", "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                 "Action": "lambda:InvokeFunction", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    revision = on.put_resource_policy(ResourceArn=arn, Policy=policy)["RevisionId"]
    shown = on.get_resource_policy(ResourceArn=arn)
    assert shown["RevisionId"] == revision and json.loads(shown["Policy"])["Statement"][0]["Sid"] == "s3", shown
    on.delete_resource_policy(ResourceArn=arn, RevisionId=revision)
    scaling = {"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2}
    on.put_function_scaling_config(FunctionName=name, Qualifier="1", FunctionScalingConfig=scaling)
    shown = on.get_function_scaling_config(FunctionName=name, Qualifier="1")
    assert shown["RequestedFunctionScalingConfig"] == scaling, shown
    on.delete_function(FunctionName=name)


def roles_and_logs():
    on = client("iam")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"Service": "lambda.amazonaws.com"}}]}
    for number in range(3):
        on.create_role(RoleName=f"sdk-{number}", AssumeRolePolicyDocument=json.dumps(trust))
    on.get_waiter("role_exists").wait(RoleName="sdk-2")
    roles = all_of(on, "list_roles", "Roles", PaginationConfig={"PageSize": 1})
    assert {f"sdk-{number}" for number in range(3)} <= {role["RoleName"] for role in roles}
    for number in range(3):
        on.delete_role(RoleName=f"sdk-{number}")
    logs = client("logs")
    logs.create_log_group(logGroupName="/sdk")
    logs.create_log_stream(logGroupName="/sdk", logStreamName="one")
    now = int(time.time() * 1000)
    events = [{"timestamp": now + number, "message": f"line {number}"} for number in range(7)]
    logs.put_log_events(logGroupName="/sdk", logStreamName="one", logEvents=events)
    found = all_of(logs, "filter_log_events", "events", logGroupName="/sdk", filterPattern="line",
                   PaginationConfig={"PageSize": 3})
    assert [event["message"] for event in found] == [f"line {number}" for number in range(7)], found
    logs.delete_log_group(logGroupName="/sdk")


def until(read, is_so):
    """Reads until it is so, as infrastructure tools do after each write."""
    for _ in range(500):
        found = read()
        if is_so(found):
            return found
        time.sleep(0.01)
    raise AssertionError(f"never so: {found}")


def code_of(read):
    """The error of a read of what is not there."""
    try:
        return f"there: {read()}"
    except ClientError as error:
        return error.response["Error"]["Code"]


def infrastructure():
    """What Terraform asks in its order: each write is read back, and a refresh finds nothing changed."""
    iam, on, watch, logs = client("iam"), client("lambda"), client("cloudwatch"), client("logs")
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                                    "Principal": {"Service": "lambda.amazonaws.com"}}]}
    assert code_of(lambda: iam.get_role(RoleName="tf")) == "NoSuchEntity"
    role = iam.create_role(RoleName="tf", AssumeRolePolicyDocument=json.dumps(trust), Path="/shop/")["Role"]
    assert iam.get_role(RoleName="tf")["Role"]["AssumeRolePolicyDocument"] == trust
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    iam.attach_role_policy(RoleName="tf", PolicyArn=basic)
    attached = iam.list_attached_role_policies(RoleName="tf")["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in attached] == [basic]
    assert iam.list_role_policies(RoleName="tf")["PolicyNames"] == []

    assert code_of(lambda: on.get_function(FunctionName="tf")) == "ResourceNotFoundException"
    wanted = {"Role": role["Arn"], "Handler": "app.handler", "Runtime": "python3.13", "MemorySize": 256,
              "Timeout": 7, "Description": "by hand", "Environment": {"Variables": {"STAGE": "test"}},
              "TracingConfig": {"Mode": "Active"}, "EphemeralStorage": {"Size": 1024}, "Architectures": ["arm64"]}
    code = package("def handler(event, context): return 1")
    made = on.create_function(FunctionName="tf", Code={"ZipFile": code}, Publish=True, Tags={"team": "shop"}, **wanted)
    assert (made["State"], made["Version"]) == ("Pending", "1")

    def read():
        return on.get_function(FunctionName="tf")

    def settled(found):
        configuration = found["Configuration"]
        return configuration["State"] == "Active" and configuration["LastUpdateStatus"] == "Successful"

    found = until(read, settled)
    shown = found["Configuration"]
    assert {name: shown[name] for name in wanted} == wanted, shown
    assert (found["Tags"], found["Code"]["RepositoryType"], "Concurrency" in found) == ({"team": "shop"}, "S3", False)
    assert shown["CodeSha256"] == made["CodeSha256"]
    assert "CodeSigningConfigArn" not in on.get_function_code_signing_config(FunctionName="tf")
    versions = all_of(on, "list_versions_by_function", "Versions", FunctionName="tf")
    assert [version["Version"] for version in versions] == ["$LATEST", "1"]
    assert read()["Configuration"] == shown, "a refresh changes nothing"

    on.update_function_configuration(FunctionName="tf", Timeout=9)
    # What was written shows at once, also while it settles.
    assert read()["Configuration"]["Timeout"] == 9
    until(read, settled)
    on.update_function_code(FunctionName="tf", ZipFile=package("def handler(event, context): return 2"), Publish=True)
    assert until(read, settled)["Configuration"]["CodeSha256"] != shown["CodeSha256"]
    on.put_function_concurrency(FunctionName="tf", ReservedConcurrentExecutions=2)
    assert read()["Concurrency"] == {"ReservedConcurrentExecutions": 2}

    on.create_alias(FunctionName="tf", Name="live", FunctionVersion="1")
    on.update_alias(FunctionName="tf", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}})
    alias = on.get_alias(FunctionName="tf", Name="live")
    assert (alias["FunctionVersion"], alias["RoutingConfig"]) == ("1", {"AdditionalVersionWeights": {"2": 0.1}})
    granted = {"FunctionName": "tf", "Qualifier": "live", "StatementId": "api"}
    permission = {"Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    on.add_permission(**granted, **permission)
    policy = json.loads(on.get_policy(FunctionName="tf", Qualifier="live")["Policy"])
    assert [statement["Sid"] for statement in policy["Statement"]] == ["api"]
    assert code_of(lambda: on.add_permission(**granted, **permission)) == "ResourceConflictException"

    watch.put_metric_alarm(
        AlarmName="tf", EvaluationPeriods=1, Threshold=1, Statistic="Sum", Period=60, Namespace="AWS/Lambda",
        ComparisonOperator="GreaterThanThreshold", MetricName="Errors", Tags=[{"Key": "team", "Value": "shop"}],
        Dimensions=[{"Name": "FunctionName", "Value": "tf"}],
    )
    alarm = watch.describe_alarms(AlarmNames=["tf"])["MetricAlarms"][0]
    assert (alarm["Threshold"], alarm["ActionsEnabled"], alarm["OKActions"]) == (1.0, True, [])
    assert watch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "team", "Value": "shop"}]
    logs.create_log_group(logGroupName="/tf", tags={"team": "shop"})
    logs.put_retention_policy(logGroupName="/tf", retentionInDays=14)
    group = logs.describe_log_groups(logGroupNamePrefix="/tf")["logGroups"][0]
    assert group["retentionInDays"] == 14, group
    assert logs.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"] == {"team": "shop"}
    into = {"metricNamespace": "tf", "metricName": "errors", "metricValue": "1", "unit": "Count"}
    logs.put_metric_filter(logGroupName="/tf", filterName="errors", filterPattern="ERROR", metricTransformations=[into])
    filters = all_of(logs, "describe_metric_filters", "metricFilters", logGroupName="/tf", filterNamePrefix="err")
    assert [(one["filterPattern"], one["metricTransformations"]) for one in filters] == [("ERROR", [into])], filters

    # And away with it: what is gone is not found any more.
    logs.delete_metric_filter(logGroupName="/tf", filterName="errors")
    assert all_of(logs, "describe_metric_filters", "metricFilters", logGroupName="/tf") == []
    logs.delete_log_group(logGroupName="/tf")
    assert logs.describe_log_groups(logGroupNamePrefix="/tf")["logGroups"] == []
    watch.delete_alarms(AlarmNames=["tf"])
    assert watch.describe_alarms(AlarmNames=["tf"])["MetricAlarms"] == []
    on.remove_permission(**granted)
    assert code_of(lambda: on.get_policy(FunctionName="tf", Qualifier="live")) == "ResourceNotFoundException"
    on.delete_alias(FunctionName="tf", Name="live")
    assert code_of(lambda: on.get_alias(FunctionName="tf", Name="live")) == "ResourceNotFoundException"
    on.delete_function(FunctionName="tf")
    assert code_of(read) == "ResourceNotFoundException"
    assert code_of(lambda: iam.delete_role(RoleName="tf")) == "DeleteConflict"
    iam.detach_role_policy(RoleName="tf", PolicyArn=basic)
    iam.delete_role(RoleName="tf")
    assert code_of(lambda: iam.get_role(RoleName="tf")) == "NoSuchEntity"


def main():
    artifacts()
    versions_and_tags()
    infrastructure()
    whole_policies()
    roles_and_logs()
    identity()
    functions()
    metrics()


if __name__ == "__main__":
    main()
