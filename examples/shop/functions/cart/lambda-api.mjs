// Invokes Lambda functions with Node's built-ins alone, signed as AWS wants it (SigV4).
//
// The endpoint comes from AWS_ENDPOINT_URL_LAMBDA or AWS_ENDPOINT_URL, which the local cloud sets
// for the functions it runs; without them it is AWS itself. Each function is packaged alone, so
// each that calls others carries its own copy of this file.

import { createHash, createHmac } from "node:crypto";

const env = process.env;
const region = env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1";
const endpoint = (
  env.AWS_ENDPOINT_URL_LAMBDA ?? env.AWS_ENDPOINT_URL ?? `https://lambda.${region}.amazonaws.com`
).replace(/\/+$/, "");

const sha256 = (text) => createHash("sha256").update(text).digest("hex");
const hmac = (key, text) => createHmac("sha256", key).update(text).digest();

function signed(path, query, body) {
  const now = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const headers = {
    "content-type": "application/json",
    host: new URL(endpoint).host,
    "x-amz-date": now,
  };
  if (env.AWS_SESSION_TOKEN) headers["x-amz-security-token"] = env.AWS_SESSION_TOKEN;
  const names = Object.keys(headers).sort();
  const canonical = [
    "POST",
    // All services but S3 have the path quoted once more.
    path.split("/").map(encodeURIComponent).join("/"),
    query,
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    sha256(body),
  ].join("\n");
  const scope = [now.slice(0, 8), region, "lambda", "aws4_request"];
  const text = ["AWS4-HMAC-SHA256", now, scope.join("/"), sha256(canonical)].join("\n");
  const key = scope.reduce(hmac, `AWS4${env.AWS_SECRET_ACCESS_KEY ?? ""}`);
  const signature = hmac(key, text).toString("hex");
  const identity = `${env.AWS_ACCESS_KEY_ID ?? ""}/${scope.join("/")}`;
  const credential = `Credential=${identity}, SignedHeaders=${names.join(";")}`;
  headers.authorization = `AWS4-HMAC-SHA256 ${credential}, Signature=${signature}`;
  return headers;
}

// The answer of a function. `qualifier` is an alias or a version.
export async function invoke(name, event, qualifier) {
  const path = `/2015-03-31/functions/${encodeURIComponent(name)}/invocations`;
  const query = qualifier ? `Qualifier=${encodeURIComponent(qualifier)}` : "";
  const body = JSON.stringify(event);
  const response = await fetch(`${endpoint}${path}${query && `?${query}`}`, {
    method: "POST",
    headers: signed(path, query, body),
    body,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${name}: ${response.status} ${text}`);
  if (response.headers.get("x-amz-function-error")) throw new Error(`${name} raised ${text}`);
  return JSON.parse(text);
}
