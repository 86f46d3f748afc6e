"""The smallest function: it says a message, and which version of it is speaking."""

MESSAGE = "Hello, world"


def handler(event, context):
    return {"message": MESSAGE, "version": context.function_version}
