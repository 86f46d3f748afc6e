"""CodeDeploy calls this after all traffic is on the new version, and waits for its word."""

import boto3

codedeploy = boto3.client("codedeploy")


def handler(event, context):
    print(f"after the traffic of {event['DeploymentId']}")
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded",
    )
