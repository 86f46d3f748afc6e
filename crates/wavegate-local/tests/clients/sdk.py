"""boto3, unmodified: waiters, paginators, and the polling after writes that infrastructure tools do.

    sdk.py URL
"""

import io
import json
import sys
import time
import urllib.request
import zipfile

import boto3

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

    # As an infrastructure tool does it: write, then read until what was written shows.
    on.update_function_configuration(FunctionName=name, Timeout=9)
    while (shown := on.get_function(FunctionName=name)["Configuration"])["LastUpdateStatus"] == "InProgress":
        assert shown["Timeout"] == 9
        time.sleep(0.01)
    assert shown["LastUpdateStatus"] == "Successful"
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


def main():
    artifacts()
    roles_and_logs()
    identity()
    functions()
    metrics()


if __name__ == "__main__":
    main()
