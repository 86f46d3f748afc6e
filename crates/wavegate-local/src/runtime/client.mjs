// The local cloud's own Lambda runtime client for Node.js.
//
// It speaks the Lambda Runtime API and serves where the official client (aws-lambda-ric) is not
// part of the package. Handlers may be async, may take a callback, may be CommonJS or ES modules.

import { existsSync, readFileSync, writeSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { Writable } from "node:stream";
import { pathToFileURL } from "node:url";
import util from "node:util";

const API = "/2018-06-01/runtime";
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
let requestId = "";
let current = null;

function call(method, suffix, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const options = { host, port, agent, method, path: API + suffix, headers: { ...headers } };
    if (body !== undefined) options.headers["Content-Length"] = Buffer.byteLength(body);
    const request = http.request(options, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
      response.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  }).catch(() => {
    // The local cloud is gone: so is the reason to live.
    process.exit(0);
  });
}

function postError(suffix, error) {
  return call("POST", suffix, JSON.stringify(error), {
    "Content-Type": "application/json",
    "Lambda-Runtime-Function-Error-Type": error.errorType,
  });
}

function describe(error, type) {
  if (error instanceof Error || (error && typeof error === "object" && "message" in error)) {
    return {
      errorType: type ?? error.name ?? "Error",
      errorMessage: String(error.message),
      trace: String(error.stack ?? "").split("\n"),
    };
  }
  return { errorType: type ?? typeof error, errorMessage: String(error), trace: [] };
}

const descriptor = process.env._LAMBDA_TELEMETRY_LOG_FD;
delete process.env._LAMBDA_TELEMETRY_LOG_FD;

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const isJson = process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";
const least = isJson ? LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL ?? "INFO") : 0;

const told = (error) => ({
  errorType: error.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: String(error.stack ?? "").split("\n"),
});

// A record as AWS's runtime writes it in JSON: one thing is the message itself, several are a text.
function jsonOf(level, parts) {
  const record = { timestamp: new Date().toISOString(), level, requestId: requestId || undefined };
  if (parts.length === 1) {
    try {
      const replace = (_, value) => (value instanceof Error ? { ...told(value), ...value } : value);
      return JSON.stringify({ ...record, message: parts[0] }, replace);
    } catch {
      // What has no JSON form has a text.
    }
  }
  const error = parts.length > 1 && parts.find((part) => part instanceof Error);
  return JSON.stringify({ ...record, message: util.format(...parts), ...(error && told(error)) });
}

function textOf(level, parts) {
  return `${new Date().toISOString()}\t${requestId || undefined}\t${level}\t${util.format(...parts)}`;
}

function stamp(level, ...parts) {
  if (LEVELS.indexOf(level) < least) return;
  const record = `${(isJson ? jsonOf : textOf)(level, parts)}\n`;
  if (descriptor === undefined) {
    process.stdout.write(record);
    return;
  }
  // A frame keeps a record of several lines together.
  const data = Buffer.from(record);
  const head = Buffer.alloc(16);
  // Its kind tells the level, and whether it is text.
  const kind = ((LEVELS.indexOf(level) + 1) << 2) | (isJson ? 2 : 3);
  head.writeUInt32BE((0xa55a0000 | kind) >>> 0, 0);
  head.writeUInt32BE(data.length, 4);
  head.writeBigUInt64BE(BigInt(Date.now()) * 1000n, 8);
  writeAll(Number(descriptor), Buffer.concat([head, data]));
}

function writeAll(file, data) {
  for (let at = 0; at < data.length; ) {
    try {
      at += writeSync(file, data, at);
    } catch (error) {
      // The pipe is full for a moment.
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

for (const [method, level] of Object.entries({
  log: "INFO", info: "INFO", debug: "DEBUG", warn: "WARN", error: "ERROR", trace: "TRACE",
})) {
  console[method] = (...parts) => stamp(level, ...parts);
}

// Logs an error that ended an invocation.
function complain(what, { errorType, errorMessage, trace }) {
  const error = { errorType, errorMessage, stackTrace: trace };
  // A text is not a format: what it has of `%` stays.
  if (isJson) stamp("ERROR", error);
  else stamp("ERROR", "%s", `${what}\t${JSON.stringify({ errorType, errorMessage, trace })}`);
}

function resolveFile(root, module) {
  const base = path.resolve(root, module);
  for (const extension of ["", ".js", ".mjs", ".cjs"]) {
    const file = base + extension;
    if (extension === "" ? /\.[cm]?js$/.test(file) && existsSync(file) : existsSync(file)) return file;
  }
  return null;
}

function isModule(file) {
  if (file.endsWith(".mjs")) return true;
  if (file.endsWith(".cjs")) return false;
  for (let at = path.dirname(file); ; at = path.dirname(at)) {
    const manifest = path.join(at, "package.json");
    if (existsSync(manifest)) {
      try {
        return JSON.parse(readFileSync(manifest, "utf8")).type === "module";
      } catch {
        return false;
      }
    }
    if (at === path.dirname(at)) return false;
  }
}

class InitError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

async function load(root, handler) {
  const slash = handler.lastIndexOf("/") + 1;
  const [module, ...names] = handler.slice(slash).split(".");
  if (names.length === 0) {
    throw new InitError("Runtime.MalformedHandlerName", `Bad handler: ${handler}`);
  }
  const file = resolveFile(root, handler.slice(0, slash) + module);
  if (!file) {
    const missing = path.join(root, handler.slice(0, slash) + module);
    throw new InitError("Runtime.ImportModuleError", `Error: Cannot find module '${missing}'`);
  }
  let loaded;
  try {
    loaded = isModule(file)
      ? await import(pathToFileURL(file).href)
      : createRequire(file)(file);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new InitError("Runtime.UserCodeSyntaxError", `SyntaxError: ${error.message}`);
    }
    if (error?.code === "MODULE_NOT_FOUND" || error?.code === "ERR_MODULE_NOT_FOUND") {
      throw new InitError("Runtime.ImportModuleError", `Error: ${error.message}`);
    }
    throw error;
  }
  const find = (from) => names.reduce((value, name) => value?.[name], from);
  const found = find(loaded) ?? find(loaded?.default);
  if (typeof found !== "function") {
    throw new InitError("Runtime.HandlerNotFound", `${handler} is undefined or not exported`);
  }
  return found;
}

const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const WITH_HEAD = "application/vnd.awslambda.http-integration-response";

// An answer that is sent as it is written. The request to the Runtime API begins with the first byte:
// until then the handler may say what the bytes are.
class ResponseStream extends Writable {
  #invocation;
  #contentType = "application/octet-stream";
  #request = null;
  #answered = null;
  _onBeforeFirstWrite = null;

  constructor(invocation) {
    super({ highWaterMark: 64 << 10 });
    this.#invocation = invocation;
  }

  get isOpen() {
    return this.#request !== null;
  }

  setContentType(type) {
    if (this.isOpen) throw new Error("Cannot set content-type, too late.");
    this.#contentType = type;
  }

  #open() {
    if (this.isOpen) return;
    this.#answered = new Promise((resolve) => {
      this.#request = http.request(
        {
          host, port, agent, method: "POST", path: `${API}${this.#invocation}/response`,
          headers: {
            "Content-Type": this.#contentType,
            "Lambda-Runtime-Function-Response-Mode": "streaming",
            "Transfer-Encoding": "chunked",
            Trailer: "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
          },
        },
        (response) => response.resume().on("end", resolve),
      );
      this.#request.on("error", () => process.exit(0));
    });
    this._onBeforeFirstWrite?.((head) => this.#request.write(head));
  }

  _write(chunk, _encoding, done) {
    this.#open();
    this.#request.write(chunk, done);
  }

  _final(done) {
    this.#open();
    this.#request.end();
    this.#answered.then(() => done(), done);
  }

  // Ends an answer that has begun with the error that stopped it.
  fail(error) {
    this.#request.addTrailers({
      "Lambda-Runtime-Function-Error-Type": error.errorType,
      "Lambda-Runtime-Function-Error-Body": Buffer.from(JSON.stringify(error)).toString("base64"),
    });
    this.#request.end();
    return this.#answered;
  }
}

globalThis.awslambda = {
  streamifyResponse(handler, options) {
    handler[STREAMING] = "response";
    if (options?.highWaterMark) handler[Symbol.for("aws.lambda.runtime.handler.streaming.highWaterMark")] = options.highWaterMark;
    return handler;
  },
  HttpResponseStream: {
    from(stream, head) {
      stream.setContentType(WITH_HEAD);
      stream._onBeforeFirstWrite = (write) => {
        write(JSON.stringify(head));
        write(Buffer.alloc(8));
      };
      return stream;
    },
  },
};

function contextOf(headers, finish) {
  const deadline = Number(headers["lambda-runtime-deadline-ms"]);
  const client = headers["lambda-runtime-client-context"];
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: headers["lambda-runtime-aws-request-id"],
    invokedFunctionArn: headers["lambda-runtime-invoked-function-arn"],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client ? JSON.parse(client) : undefined,
    identity: undefined,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
    succeed: (result) => finish(null, result, true),
    fail: (error) => finish(error ?? new Error("handler failed"), null, true),
    done: (error, result) => finish(error, result, true),
  };
}

// Runs one event of a handler that streams its answer.
async function stream(handler, headers, event, invocation) {
  const answer = new ResponseStream(invocation);
  const finished = new Promise((resolve, reject) => answer.on("finish", resolve).on("error", reject));
  finished.catch(() => {});
  try {
    await handler(event, answer, contextOf(headers, () => {}));
    await finished;
  } catch (error) {
    const described = describe(error);
    complain("Invoke Error", described);
    await (answer.isOpen ? answer.fail(described) : postError(`${invocation}/error`, described));
  }
}

// Runs one event to its end. A callback's answer waits for the event loop to run empty, as AWS's
// does, unless the handler said otherwise; `beforeExit` is that moment.
function run(handler, headers, event) {
  return new Promise((resolve) => {
    let settled = false;
    const end = (outcome) => {
      if (!settled) {
        settled = true;
        current = null;
        resolve(outcome);
      }
    };
    const finish = (error, result, now) => {
      const outcome = error !== null && error !== undefined ? { error } : { result };
      if (now || outcome.error !== undefined || !context.callbackWaitsForEmptyEventLoop) end(outcome);
      else if (current) current.outcome ??= outcome;
    };
    const context = contextOf(headers, finish);
    current = { end, outcome: null };
    try {
      const returned = handler(event, context, (error, result) => finish(error, result, false));
      if (typeof returned?.then === "function") {
        returned.then((result) => end({ result }), (error) => end({ error: error ?? new Error("rejected") }));
      }
    } catch (error) {
      end({ error });
    }
  });
}

async function fatal(type, error) {
  const described = describe(error, type);
  complain(described.errorType, described);
  await postError(requestId ? `/invocation/${requestId}/error` : "/init/error", described);
  process.exit(1);
}

process.on("beforeExit", () => current?.end(current.outcome ?? { result: null }));
process.on("uncaughtException", (error) => fatal(undefined, error));
process.on("unhandledRejection", (error) => {
  const reason = error instanceof Error ? error : new Error(String(error));
  reason.message = `${reason.name}: ${reason.message}`;
  fatal("Runtime.UnhandledPromiseRejection", reason);
});

async function main() {
  let handler;
  try {
    handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
  } catch (error) {
    return fatal(undefined, error);
  }
  for (;;) {
    const { headers, body } = await call("GET", "/invocation/next");
    requestId = headers["lambda-runtime-aws-request-id"];
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) process.env._X_AMZN_TRACE_ID = trace;
    const invocation = `/invocation/${requestId}`;
    if (handler[STREAMING]) {
      await stream(handler, headers, JSON.parse(body.toString("utf8")), invocation);
      continue;
    }
    const { error, result } = await run(handler, headers, JSON.parse(body.toString("utf8")));
    if (error !== undefined) {
      const described = describe(error);
      complain("Invoke Error", described);
      await postError(`${invocation}/error`, described);
      continue;
    }
    let answer;
    try {
      answer = JSON.stringify(result === undefined ? null : result) ?? "null";
    } catch (failure) {
      await postError(`${invocation}/error`, describe(failure, "Runtime.MarshalError"));
      continue;
    }
    await call("POST", `${invocation}/response`, answer, { "Content-Type": "application/json" });
  }
}

main();
