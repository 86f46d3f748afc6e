"""The function whose rollouts try the plugin."""

MESSAGE = "Hello, world"


def handler(event, context):
    return {"message": MESSAGE, "version": context.function_version}
