// The AWS SDK for JavaScript, unmodified: sdk.mjs URL
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import {
  CreateAliasCommand, CreateFunctionCommand, DeleteFunctionCommand, GetAliasCommand, GetFunctionCommand,
  InvokeCommand, InvokeWithResponseStreamCommand, LambdaClient, PublishVersionCommand, ResourceNotFoundException, UpdateAliasCommand,
  UpdateFunctionCodeCommand, UpdateFunctionConfigurationCommand, paginateListAliases,
  paginateListFunctions, paginateListVersionsByFunction, waitUntilFunctionActiveV2,
  waitUntilFunctionUpdatedV2,
} from "@aws-sdk/client-lambda";
import {
  CloudWatchClient, DeleteAlarmsCommand, DescribeAlarmsCommand, GetMetricDataCommand,
  PutMetricAlarmCommand, PutMetricDataCommand, SetAlarmStateCommand, paginateListMetrics,
} from "@aws-sdk/client-cloudwatch";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const [endpoint, v1, v2] = process.argv.slice(2);
const credentials = { accessKeyId: "js", secretAccessKey: "js" };
const settings = { endpoint, region: "us-east-1", credentials };
const wait = { maxWaitTime: 30, minDelay: 1, maxDelay: 1 };

async function all(pages, key) {
  const items = [];
  for await (const page of pages) items.push(...(page[key] ?? []));
  return items;
}

async function functions() {
  const client = new LambdaClient(settings);
  const FunctionName = "js";
  await client.send(new CreateFunctionCommand({
    FunctionName, Runtime: "python3.13", Role: "arn:aws:iam::000000000000:role/js", Handler: "app.handler",
    Code: { ZipFile: readFileSync(v1) },
  }));
  await waitUntilFunctionActiveV2({ client, ...wait }, { FunctionName });
  const first = await client.send(new PublishVersionCommand({ FunctionName }));
  await client.send(new UpdateFunctionCodeCommand({ FunctionName, ZipFile: readFileSync(v2) }));
  await waitUntilFunctionUpdatedV2({ client, ...wait }, { FunctionName });
  const second = await client.send(new PublishVersionCommand({ FunctionName }));
  assert.deepEqual([first.Version, second.Version], ["1", "2"]);
  const alias = { FunctionName, Name: "live" };
  await client.send(new CreateAliasCommand({ ...alias, FunctionVersion: "1" }));
  await client.send(new UpdateAliasCommand({
    ...alias, RoutingConfig: { AdditionalVersionWeights: { 2: 0.25 } },
  }));
  const shown = await client.send(new GetAliasCommand(alias));
  assert.deepEqual(shown.RoutingConfig.AdditionalVersionWeights, { 2: 0.25 });
  const answer = await client.send(new InvokeCommand({ FunctionName, Qualifier: "2", Payload: "{}" }));
  assert.equal(answer.ExecutedVersion, "2");
  assert.deepEqual(JSON.parse(answer.Payload.transformToString()), { version: 2 });
  const streamed = await client.send(new InvokeWithResponseStreamCommand({ FunctionName, Qualifier: "1" }));
  const events = [];
  for await (const event of streamed.EventStream) events.push(event);
  assert.deepEqual(JSON.parse(Buffer.from(events[0].PayloadChunk.Payload).toString()), { version: 1 });
  assert.deepEqual(events[1], { InvokeComplete: {} });
  await client.send(new UpdateFunctionConfigurationCommand({ FunctionName, MemorySize: 512 }));
  await waitUntilFunctionUpdatedV2({ client, ...wait }, { FunctionName });
  const read = await client.send(new GetFunctionCommand({ FunctionName }));
  assert.equal(read.Configuration.MemorySize, 512);
  const versions = await all(paginateListVersionsByFunction({ client, pageSize: 1 }, { FunctionName }), "Versions");
  assert.deepEqual(versions.map((version) => version.Version), ["$LATEST", "1", "2"]);
  assert.equal((await all(paginateListAliases({ client }, { FunctionName }), "Aliases")).length, 1);
  assert.ok((await all(paginateListFunctions({ client }, {}), "Functions")).length >= 1);
  await client.send(new DeleteFunctionCommand({ FunctionName }));
  await assert.rejects(client.send(new GetFunctionCommand({ FunctionName })), ResourceNotFoundException);
}

async function metrics() {
  const client = new CloudWatchClient(settings);
  const at = new Date(Date.now() - 300_000);
  const MetricData = [{ MetricName: "m", Timestamp: at, StatisticValues: { SampleCount: 2, Sum: 6, Minimum: 1, Maximum: 5 } }];
  await client.send(new PutMetricDataCommand({ Namespace: "js", MetricData }));
  assert.equal((await all(paginateListMetrics({ client }, { Namespace: "js" }), "Metrics")).length, 1);
  const MetricStat = { Metric: { Namespace: "js", MetricName: "m" }, Period: 60, Stat: "Average" };
  const data = await client.send(new GetMetricDataCommand({
    StartTime: new Date(at - 600_000), EndTime: new Date(), MetricDataQueries: [{ Id: "a", MetricStat }],
  }));
  assert.deepEqual(data.MetricDataResults[0].Values, [3]);
  const AlarmName = "js";
  await client.send(new PutMetricAlarmCommand({
    AlarmName, Namespace: "js", MetricName: "m", Statistic: "Sum", Period: 60, EvaluationPeriods: 1,
    Threshold: 1, ComparisonOperator: "GreaterThanThreshold",
  }));
  await client.send(new SetAlarmStateCommand({ AlarmName, StateValue: "ALARM", StateReason: "told so" }));
  const alarms = await client.send(new DescribeAlarmsCommand({ AlarmNames: [AlarmName] }));
  assert.equal(alarms.MetricAlarms[0].StateValue, "ALARM");
  await client.send(new DeleteAlarmsCommand({ AlarmNames: [AlarmName] }));
}

const identity = await new STSClient(settings).send(new GetCallerIdentityCommand({}));
assert.equal(identity.Account, "000000000000");
await functions();
await metrics();
