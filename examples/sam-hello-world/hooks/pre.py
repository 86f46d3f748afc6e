"""CodeDeploy calls this before the new version takes any traffic, and waits for its word."""

import boto3

codedeploy = boto3.client("codedeploy")


def handler(event, context):
    print(f"before the traffic of {event['DeploymentId']}")
    codedeploy.put_lifecycle_event_hook_execution_status(
        deploymentId=event["DeploymentId"],
        lifecycleEventHookExecutionId=event["LifecycleEventHookExecutionId"],
        status="Succeeded",
    )
