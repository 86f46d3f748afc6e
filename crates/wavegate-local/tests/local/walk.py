"""Walks every operation that the local cloud offers, in every protocol its service speaks.

    walk.py URL
    walk.py URL --inputs

Each operation is asked three times: with nothing, with the least that AWS's model requires, and with
every member of the model. Whatever the local cloud answers, botocore must be able to read it by AWS's
model: as an output with the required members, or as an error that the service's model declares or
AWS's front end has. Prints what is not so, one line each.
With `--inputs` it prints, as JSON, what it would ask each operation for the client of another language.
"""

import json
import sys
from pathlib import Path

import botocore.config
import botocore.exceptions
import botocore.session

URL = sys.argv[1]
MODELS = Path(__file__).parents[2] / "models"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:walk"
TRUST = (
    '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}}'
)
ALLOW = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'
# What AWS's front end answers without a model saying so.
FRONT = {
    "AccessDeniedException", "SerializationException", "ValidationException", "ValidationError",
    "InvalidParameterValue", "InvalidParameterValueException", "InvalidParameterCombination",
    "InvalidParameterCombinationException", "MissingParameter", "MissingRequiredParameterException",
    "InvalidRequestContentException", "MalformedInput", "RequestEntityTooLargeException",
    "MalformedXML", "InvalidParameterException", "InvalidArgument", "InvalidRequest", "InvalidURI",
    "InvalidInput", "MalformedPolicyDocument", "NoSuchBucket", "NoSuchKey", "404", "400", "BucketNotEmpty",
    "NoSuchTagSet", "InvalidDigest", "IllegalVersioningConfigurationException",
    "NoSuchBucketPolicy", "NoSuchCORSConfiguration", "NoSuchLifecycleConfiguration", "NoSuchWebsiteConfiguration",
    "NoSuchPublicAccessBlockConfiguration", "OwnershipControlsNotFoundError", "MalformedPolicy", "MalformedACLError",
    "ReplicationConfigurationNotFoundError", "ObjectLockConfigurationNotFoundError", "MissingSecurityHeader",
    "InvalidTargetBucketForLogging", "InvalidBucketState", "AccessControlListNotSupported", "UnexpectedContent",
    "MissingRequestBodyError",
    "NotImplemented",  # with 501: S3 has headers that only buckets of other kinds know
}
# Members whose rules are stricter than a made-up value satisfies.
KNOWN = {
    "FunctionName": "walk", "functionName": "walk", "Role": "arn:aws:iam::000000000000:role/walk",
    "serviceRoleArn": "arn:aws:iam::000000000000:role/walk", "RoleArn": "arn:aws:iam::000000000000:role/walk",
    "Resource": ARN, "ResourceARN": "arn:aws:cloudwatch:us-east-1:000000000000:alarm:walk",
    "ResourceArn": "arn:aws:codedeploy:us-east-1:000000000000:application:walk",
    "Handler": "app.handler", "Runtime": "python3.13", "Namespace": "walk", "Statistic": "Average",
    "RoleName": "walk", "PolicyName": "walk", "PolicyArn": "arn:aws:iam::000000000000:policy/walk",
    "Path": "/", "PathPrefix": "/", "PermissionsBoundary": "arn:aws:iam::aws:policy/walk",
    "AssumeRolePolicyDocument": TRUST, "PolicyDocument": ALLOW, "Marker": "YQ", "VersionId": "v1",
    "Bucket": "walk", "Key": "walk", "CopySource": "walk/walk", "Range": "bytes=0-",
    "ExpectedBucketOwner": "000000000000", "ExpectedSourceBucketOwner": "000000000000",
    "RoleSessionName": "walk", "logGroupName": "walk", "logStreamName": "walk",
    "resourceArn": "arn:aws:logs:us-east-1:000000000000:log-group:walk", "ExtendedStatistic": "p90", "Qualifier": "1", "FunctionVersion": "1",
}


def sample(shape, everything, name="", depth=0):
    kind = shape.type_name
    if name in KNOWN and kind == "string":
        return KNOWN[name]
    if kind == "structure":
        wanted = shape.members if everything and depth < 4 else shape.required_members
        members = {
            member: sample(shape.members[member], everything, member, depth + 1) for member in wanted
        }
        # Of a union, one member may be given.
        return dict(list(members.items())[:1]) if getattr(shape, "is_tagged_union", False) else members
    if kind == "list":
        count = max(1, shape.metadata.get("min", 1))
        return [sample(shape.member, everything, name, depth + 1)] * count
    if kind == "map":
        return {sample(shape.key, everything): sample(shape.value, everything, "", depth + 1)}
    if kind == "string":
        return shape.enum[0] if getattr(shape, "enum", None) else "a" * max(4, shape.metadata.get("min", 1))
    if kind in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    if kind in ("double", "float"):
        return float(shape.metadata.get("min", 0.5))
    return {"boolean": True, "blob": b"{}", "timestamp": 1_700_000_000}[kind]


def complaint(shapes, shape, value, path):
    """What of an answer does not fit AWS's model, as it is corrected by what AWS was seen to answer."""
    if shape is None or value is None:
        return None
    if shape.type_name == "structure":
        if getattr(shape, "event_stream_name", None) or not isinstance(value, dict):
            return None
        for member in shapes.get(shape.name, {}).get("required", []):
            if member not in value:
                return f"{path}.{member} is missing"
        found = (
            complaint(shapes, shape.members[m], value[m], f"{path}.{m}") for m in shape.members if m in value
        )
    elif shape.type_name == "list":
        found = (complaint(shapes, shape.member, item, f"{path}[]") for item in value)
    else:
        return None
    return next(filter(None, found), None)


def client(service, protocol):
    session = botocore.session.Session()
    session.set_credentials("walk", "walk")
    loader = session.get_component("data_loader")
    load = loader.load_service_model

    def in_one_protocol(name, type_name, api_version=None):
        model = load(name, type_name, api_version)
        if type_name == "service-2":
            model = {**model, "metadata": {**model["metadata"], "protocols": [protocol], "protocol": protocol}}
        return model

    loader.load_service_model = in_one_protocol
    config = botocore.config.Config(
        parameter_validation=False, retries={"max_attempts": 0}, s3={"addressing_style": "path"}
    )
    return session.create_client(service, region_name="us-east-1", endpoint_url=URL, config=config)


def ask(on, shapes, operation, params):
    model = on.meta.service_model.operation_model(operation)
    try:
        answer = on._make_api_call(operation, params)
    except botocore.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        errors = on.meta.service_model.error_shapes
        declared = {shape.error_code for shape in errors} | {shape.name for shape in errors}
        is_broken = status >= 500 and code != "NotImplemented"
        if is_broken or code not in declared | FRONT:
            return f"{status} {code}: {error.response['Error']['Message']}"
        return None
    except botocore.exceptions.ParamValidationError:
        return None
    answer.pop("ResponseMetadata")
    return complaint(shapes, model.output_shape, answer, operation)


def params_of(shape):
    """With nothing, with the least, with everything."""
    return [{}] if shape is None else [{}, sample(shape, False), sample(shape, True)]


def operations(model, on):
    # What deletes comes last, so that there is something to ask.
    # An older botocore does not know all of them: CI has the one that the models are from.
    known = set(on.meta.service_model.operation_names) & set(model["operations"])
    return sorted(known, key=lambda name: (name.startswith("Delete"), name))


def inputs():
    all_of_them = {}
    for path in sorted(MODELS.glob("*.json")):
        model = json.loads(path.read_text())
        if not model.get("metadata", {}).get("protocols"):
            continue
        on = client(path.stem, model["metadata"]["protocols"][0])
        all_of_them[path.stem] = {
            name: params_of(on.meta.service_model.operation_model(name).input_shape)
            for name in operations(model, on)
        }
    print(json.dumps(all_of_them, default=lambda blob: blob.decode()))


def main():
    if "--inputs" in sys.argv:
        return inputs()
    asked = 0
    for path in sorted(MODELS.glob("*.json")):
        model = json.loads(path.read_text())
        for protocol in model.get("metadata", {}).get("protocols", []):
            on = client(path.stem, protocol)
            for operation in operations(model, on):
                shape = on.meta.service_model.operation_model(operation).input_shape
                for params in params_of(shape):
                    # botocore itself cannot make a path without its parts.
                    if not params and shape is not None and any(
                        member.serialization.get("location") == "uri" for member in shape.members.values()
                    ):
                        continue
                    asked += 1
                    wrong = ask(on, model["shapes"], operation, params)
                    if wrong:
                        print(f"{path.stem} {protocol} {operation} {params}: {wrong}"[:600])
    print(f"asked {asked}", file=sys.stderr)


if __name__ == "__main__":
    main()
