"""The local cloud's own Lambda runtime client for Python.

It speaks the Lambda Runtime API and serves where the official client (awslambdaric) is not
installed. Standard library only, any Python from 3.8 on.
"""

import http.client
import importlib
import json
import logging
import os
import socket
import struct
import sys
import time
import traceback

API = "/2018-06-01/runtime"
_request_id = None


class LambdaContext:
    """The context object handlers get."""

    def __init__(self, headers):
        self.aws_request_id = headers.get("Lambda-Runtime-Aws-Request-Id")
        self.invoked_function_arn = headers.get("Lambda-Runtime-Invoked-Function-Arn")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        self.tenant_id = headers.get("Lambda-Runtime-Aws-Tenant-Id")
        self.identity = None
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = _ClientContext(json.loads(client)) if client else None
        self._deadline_ms = int(headers.get("Lambda-Runtime-Deadline-Ms") or 0)

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class _ClientContext:
    def __init__(self, data):
        self.custom = data.get("custom")
        self.env = data.get("env")
        self.client = data.get("client")


class Log:
    """Writes events, also of several lines: in frames where the platform reads those."""

    def __init__(self, descriptor):
        self.descriptor = int(descriptor) if descriptor else None

    def write(self, text, level=logging.ERROR):
        if self.descriptor is None:
            sys.stdout.write(text.replace("\n", "\r") + "\n")
            return
        data = text.encode("utf-8", "replace")
        # The kind of a frame tells the level, from 2 for DEBUG to 6, and whether it is text.
        level = min(max(level // 10 + 1, 2), 6) if level >= 10 else 0
        kind = 0xA55A0002 | level << 2 | (not _is_json)
        head = struct.pack(">IIQ", kind, len(data), int(time.time() * 1_000_000))
        sys.stdout.flush()
        os.write(self.descriptor, head + data)


_is_json = os.environ.get("AWS_LAMBDA_LOG_FORMAT") == "JSON"
_log = Log(os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None))


def _stamp(seconds):
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return "%s.%03dZ" % (date, seconds % 1 * 1000)


class _Lines(logging.Handler):
    """Prints records the way AWS's runtime does."""

    def emit(self, record):
        _log.write(self.format(record) + "\n", record.levelno)


class _Formatter(logging.Formatter):
    converter = time.gmtime

    def format(self, record):
        record.aws_request_id = _request_id or ""
        return super().format(record)


class _JsonFormatter(logging.Formatter):
    """Records as AWS's runtime writes them in JSON, with what `extra` added to them."""

    _own = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id"}

    def format(self, record):
        told = {
            "timestamp": _stamp(record.created),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, error, trace = record.exc_info
            told["stackTrace"] = traceback.format_tb(trace)
            told["errorType"] = kind.__name__ if kind else None
            told["errorMessage"] = str(error)
            told["location"] = "%s:%s:%d" % (record.pathname, record.funcName, record.lineno)
        if _request_id:
            told["requestId"] = _request_id
        told.update((key, value) for key, value in vars(record).items() if key not in self._own)
        return json.dumps(told, ensure_ascii=False, default=str)


class Api:
    """One kept-alive connection to the Runtime API."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port))
        self.connection.connect()
        self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, API + path, body=body, headers=headers or {})
        response = self.connection.getresponse()
        return response.headers, response.read()

    def post_error(self, path, error):
        self.call("POST", path, json.dumps(error).encode(), {
            "Content-Type": "application/json",
            "Lambda-Runtime-Function-Error-Type": error["errorType"],
        })


def fault(kind, message, trace=None):
    told = {
        "errorMessage": message,
        "errorType": kind,
        "requestId": _request_id or "",
        "stackTrace": trace or [],
    }
    if os.environ.get("AWS_EXECUTION_ENV") == "AWS_Lambda_python3.8":
        # AWS's client for it is an older one.
        del told["requestId"]
    return told


def report(error):
    if _is_json:
        told = {"timestamp": _stamp(time.time()), "level": "ERROR"}
        _log.write(json.dumps({**told, **error}, ensure_ascii=False) + "\n")
        return
    lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"])]
    lines.append("Traceback (most recent call last):")
    for frame in error["stackTrace"]:
        for line in filter(None, frame.split("\n")):
            # AWS's runtime indents with no-break spaces, so that consoles keep them.
            indent = len(line) - len(line.lstrip(" "))
            lines.append("\u00a0" * indent + line.lstrip(" "))
    _log.write("\n".join(lines))


def load(name):
    """The handler, or the fault that says why there is none."""
    parts = name.rsplit(".", 1)
    if len(parts) != 2:
        return None, fault(
            "Runtime.MalformedHandlerName",
            "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % name,
        )
    module_name, function_name = parts
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return None, fault(
            "Runtime.ImportModuleError",
            "Unable to import module '%s': %s" % (module_name, error),
        )
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s\n' % (error.filename, error.lineno, error.text)]
        return None, fault(
            "Runtime.UserCodeSyntaxError",
            "Syntax error in module '%s': %s" % (module_name, error),
            trace,
        )
    except Exception as error:
        return None, describe(error)
    handler = getattr(module, function_name, None)
    if handler is None:
        return None, fault(
            "Runtime.HandlerNotFound",
            "Handler '%s' missing on module '%s'" % (function_name, module_name),
        )
    return handler, None


def describe(error):
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__ and "<frozen" not in frame.filename]
    return fault(type(error).__name__, str(error), traceback.format_list(own))


def serve(api, handler):
    global _request_id
    while True:
        headers, event = api.call("GET", "/invocation/next")
        _request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        trace = headers.get("Lambda-Runtime-Trace-Id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        path = "/invocation/" + _request_id
        try:
            result = handler(json.loads(event), LambdaContext(headers))
        except Exception as error:
            described = describe(error)
            report(described)
            api.post_error(path + "/error", described)
            continue
        try:
            body = json.dumps(result, ensure_ascii=False).encode("utf-8", "surrogatepass")
        except Exception as error:
            described = fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)
            report(described)
            api.post_error(path + "/error", described)
            continue
        api.call("POST", path + "/response", body, {"Content-Type": "application/json"})


def main():
    root = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[0] = root
    if _is_json:
        formatter = _JsonFormatter()
        level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "INFO")
        logging.getLogger().setLevel({"TRACE": "DEBUG"}.get(level, level))
    else:
        formatter = _Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s",
            "%Y-%m-%dT%H:%M:%S",
        )
    handler = _Lines()
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    try:
        api = Api(os.environ["AWS_LAMBDA_RUNTIME_API"])
        function, error = load(os.environ["_HANDLER"])
        if error:
            report(error)
            api.post_error("/init/error", error)
            sys.exit(1)
        serve(api, function)
    except (ConnectionError, http.client.HTTPException):
        # The local cloud is gone: so is the reason to live.
        os._exit(0)


if __name__ == "__main__":
    main()
