// Sends every command of every client of the AWS SDK for JavaScript, unmodified: walk.mjs URL INPUTS
//
// Each operation is asked with nothing, with the least that its model requires, and with everything. What
// comes back has to be an answer that the client can read, or an error of the service's own.
import { readFileSync } from "node:fs";
import { Readable } from "node:stream";

const [endpoint, file] = process.argv.slice(2);
const clients = {
  cloudwatch: "CloudWatchClient", codedeploy: "CodeDeployClient", iam: "IAMClient", lambda: "LambdaClient",
  logs: "CloudWatchLogsClient", s3: "S3Client", sts: "STSClient",
};
const settings = {
  endpoint, region: "us-east-1", credentials: { accessKeyId: "walk", secretAccessKey: "walk" },
  forcePathStyle: true, maxAttempts: 1,
};
// What the client itself refuses before it sends anything.
const OWN = /^(No value provided for input HTTP label|Empty value provided for input HTTP label|.* required )/;

// The model's timestamps come as seconds.
function dated(value) {
  if (value === 1_700_000_000) return new Date(value * 1000);
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(dated);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, dated(member)]));
}

async function drain(answer) {
  for (const value of Object.values(answer)) {
    if (value instanceof Readable || value?.[Symbol.asyncIterator]) for await (const _ of value);
  }
}

let asked = 0;
for (const [service, operations] of Object.entries(JSON.parse(readFileSync(file)))) {
  const sdk = await import(`@aws-sdk/client-${service === "logs" ? "cloudwatch-logs" : service}`);
  const client = new sdk[clients[service]](settings);
  for (const [operation, inputs] of Object.entries(operations)) {
    for (const input of inputs) {
      asked += 1;
      try {
        await drain(await client.send(new sdk[`${operation}Command`](dated(input))));
      } catch (error) {
        const status = error.$metadata?.httpStatusCode;
        // S3 answers so where a header asks for what is not there, as AWS does for its own.
        const isRefused = status === 501 && error.name === "NotImplemented";
        const isTold = status >= 300 && (status < 500 || isRefused) && error.$fault && error.name !== "UnknownError";
        if (!isTold && !OWN.test(error.message)) {
          const told = `${service} ${operation}: ${status} ${error.name}: ${error.message}: ${JSON.stringify(input)}`;
          console.log(told.slice(0, 500));
        }
      }
    }
  }
}
console.error(`asked ${asked}`);
