"""Judges a new version of checkout before it takes any traffic.

wavegate invokes it as a `pre_traffic` hook and tells it which version to judge; it sends that
version an order whose total is known. It answers as a lifecycle hook of Amazon ECS does:
`hookStatus` is SUCCEEDED, FAILED or IN_PROGRESS.
"""

from lambda_api import InvokeError, invoke

# Two of tea and one bowl: 2 * 4.50 + 24.00, and 4.90 for shipping.
ORDER = {"user": "smoke", "lines": [{"sku": "tea", "quantity": 2}, {"sku": "bowl", "quantity": 1}]}
TOTAL_CENTS = 3790


def handler(event, context):
    candidate = event.get("candidate_arn")
    if not candidate:
        return failed("there is no candidate_arn in the event: this function judges versions")
    try:
        answer, version = invoke(candidate, ORDER)
    except InvokeError as error:
        return failed(str(error))
    total = answer.get("total_cents")
    if total != TOTAL_CENTS:
        return failed(f"an order of {TOTAL_CENTS} cents costs {total} with version {version}")
    return {"hookStatus": "SUCCEEDED", "message": f"version {version} charged {total} cents"}


def failed(message):
    return {"hookStatus": "FAILED", "message": message}
