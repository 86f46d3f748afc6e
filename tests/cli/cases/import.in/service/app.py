def handler(event, context):
    return {"message": "hello"}


def judge(event, context):
    return {"hookStatus": "SUCCEEDED"}
