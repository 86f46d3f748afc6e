//! The three protocols, from the bytes that clients send.

use proptest::prelude::*;

use super::*;
use crate::cloudwatch::value::Value;
use crate::cloudwatch::{CloudWatch, Datum, Unit};

const PROTOCOLS: [Protocol; 3] = [Protocol::Cbor, Protocol::Json, Protocol::Query];
/// 2027-01-15T08:00:00Z.
const NOW: i64 = 1_800_000_000_000;

/// A request as a client of that protocol sends it.
fn request(protocol: Protocol, operation: &Operation, input: &Record) -> WireRequest {
    let mut request = WireRequest { method: "POST".into(), path: "/".into(), ..Default::default() };
    let mut say = |name: &str, value: &str| request.headers.push((name.into(), value.into()));
    match protocol {
        Protocol::Cbor => {
            say("smithy-protocol", "rpc-v2-cbor");
            say("content-type", "application/cbor");
            request.path = format!("/service/{SERVICE}/operation/{}", operation.name);
            request.body = cbor::encode(operation.input, input);
        }
        Protocol::Json => {
            say("x-amz-target", &format!("{SERVICE}.{}", operation.name));
            request.body = json::encode(operation.input, input);
        }
        Protocol::Query => {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("Action", operation.name).append_pair("Version", VERSION);
            flatten("", &Value::Record(input.clone()), operation.input, &mut form);
            request.body = form.finish().into_bytes();
        }
    }
    request
}

fn flatten(
    path: &str,
    value: &Value,
    shape: &Shape,
    form: &mut form_urlencoded::Serializer<'_, String>,
) {
    match (value, shape) {
        (Value::Boolean(flag), _) => form.append_pair(path, &flag.to_string()),
        (Value::Integer(number), _) => form.append_pair(path, &number.to_string()),
        (Value::Double(number), _) => form.append_pair(path, &format!("{number:?}")),
        (Value::Text(text), _) => form.append_pair(path, text),
        (Value::Time(millis), _) => form.append_pair(path, &query::format_time(*millis)),
        (Value::List(values), Shape::List { of, .. }) => {
            for (index, value) in values.iter().enumerate() {
                flatten(&format!("{path}.member.{}", index + 1), value, of, form);
            }
            if values.is_empty() { form.append_pair(path, "") } else { form }
        }
        (Value::Record(record), Shape::Map { of }) => {
            for (index, (key, value)) in record.iter().enumerate() {
                let entry = format!("{path}.entry.{}", index + 1);
                form.append_pair(&format!("{entry}.key"), key);
                flatten(&format!("{entry}.value"), value, of, form);
            }
            form
        }
        (Value::Record(record), Shape::Structure(fields)) => {
            for (name, value) in record.iter() {
                let field = fields.iter().find(|field| field.name == name).unwrap();
                flatten(&member(path, name), value, field.shape, form);
            }
            form
        }
        _ => panic!("{path} does not fit its shape"),
    };
}

/// What a client of that protocol makes of a response: the output, or code and message.
fn understand(
    protocol: Protocol,
    operation: &Operation,
    response: &WireResponse,
) -> Result<Record, (String, String)> {
    let header = |name| header(&response.headers, name).map(ToOwned::to_owned);
    assert!(header("x-amzn-requestid").is_some());
    if protocol == Protocol::Cbor {
        assert_eq!(header("smithy-protocol").as_deref(), Some("rpc-v2-cbor"));
    }
    let decode = |shape: &Shape| match protocol {
        Protocol::Cbor => cbor::decode(shape, &response.body).unwrap(),
        Protocol::Json => json::decode(shape, &response.body).unwrap(),
        Protocol::Query => {
            let xml = std::str::from_utf8(&response.body).unwrap();
            let mut pairs = Vec::new();
            let (root, result) = read_xml(xml, &mut pairs);
            assert!(result || operation.output.is_none(), "{root}");
            query::decode(shape, &pairs).unwrap()
        }
    };
    if response.status == 200 {
        return Ok(operation.output.map(decode).unwrap_or_default());
    }
    if protocol == Protocol::Query {
        let mut pairs = Vec::new();
        read_xml(std::str::from_utf8(&response.body).unwrap(), &mut pairs);
        // An error of AWS's may have no message.
        let value = |name: &str| {
            pairs.iter().find(|(key, _)| key == name).map(|(_, v)| v.clone()).unwrap_or_default()
        };
        assert_eq!(value("Error.Type"), "Sender");
        assert!(!value("RequestId").is_empty());
        return Err((value("Error.Code"), value("Error.Message")));
    }
    let error = decode(&ERROR);
    let code = header("x-amzn-query-error").unwrap();
    Err((
        code.strip_suffix(";Sender").unwrap().to_owned(),
        error.text("message").unwrap_or_default().to_owned(),
    ))
}

/// Reads our XML into the pairs of a form, below `…Result` when there is one. Returns the name of
/// the root and whether there was a result.
fn read_xml(xml: &str, pairs: &mut Vec<(String, String)>) -> (String, bool) {
    let mut path: Vec<(String, usize)> = Vec::new();
    let (mut root, mut result, mut text) = (String::new(), false, String::new());
    let mut leaf = true;
    for piece in xml.split('<').skip(1) {
        let (tag, after) = piece.split_once('>').unwrap();
        if tag.starts_with('/') {
            if leaf {
                let inside = path.iter().skip(if result { 2 } else { 1 });
                let key: Vec<String> = inside
                    .map(|(name, index)| match name.as_str() {
                        "member" | "entry" => format!("{name}.{index}"),
                        _ => name.clone(),
                    })
                    .collect();
                pairs.push((key.join("."), unescape(&text)));
            }
            leaf = false;
            path.pop();
        } else {
            let name = tag.split(' ').next().unwrap().to_owned();
            if path.is_empty() {
                root.clone_from(&name);
            }
            result |= path.len() == 1 && name.ends_with("Result");
            let index = if leaf { 1 } else { counted(&path, &name, pairs, result) };
            path.push((name, index));
            leaf = true;
        }
        text = after.to_owned();
    }
    (root, result)
}

/// The number of the next `member` or `entry` at this place.
fn counted(
    path: &[(String, usize)],
    name: &str,
    pairs: &[(String, String)],
    result: bool,
) -> usize {
    let inside = path.iter().skip(if result { 2 } else { 1 });
    let mut prefix: String = inside
        .map(|(name, index)| match name.as_str() {
            "member" | "entry" => format!("{name}.{index}."),
            _ => format!("{name}."),
        })
        .collect();
    prefix.push_str(name);
    prefix.push('.');
    let numbers = pairs
        .iter()
        .filter_map(|(key, _)| key.strip_prefix(&prefix)?.split('.').next()?.parse::<usize>().ok());
    numbers.max().unwrap_or(0) + 1
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#13;", "\r")
        .replace("&amp;", "&")
}

/// Any value of a shape, seldom against its limits.
fn any_value(shape: &'static Shape) -> BoxedStrategy<Value> {
    match shape {
        Shape::Text { min, .. } => {
            let min = *min;
            let pattern = format!("[ -~é漢\\n]{{{min},{}}}", min + 6);
            let known = prop::sample::select(vec![
                "a",
                "b",
                "comp",
                "NS",
                "m",
                "m1",
                "Sum",
                "x y",
                "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:a",
            ]);
            prop_oneof![
                3 => known.prop_map(Value::from),
                1 => proptest::string::string_regex(&pattern).unwrap().prop_map(Value::from),
            ]
            .boxed()
        }
        Shape::Choice(allowed) => {
            prop::sample::select(allowed.to_vec()).prop_map(Value::from).boxed()
        }
        Shape::Integer { .. } => {
            prop_oneof![Just(60i64), Just(10), -3i64..200].prop_map(Value::from).boxed()
        }
        // Eighths are exact in every notation.
        Shape::Double => {
            any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)).boxed()
        }
        Shape::Boolean => any::<bool>().prop_map(Value::from).boxed(),
        Shape::Timestamp => (NOW - 900_000..NOW + 900_000).prop_map(Value::Time).boxed(),
        Shape::List { of, min, .. } => {
            prop::collection::vec(any_value(of), *min..min + 3).prop_map(Value::List).boxed()
        }
        Shape::Map { of } => prop::collection::btree_map("[a-z]{1,3}", any_value(of), 1..3)
            .prop_map(|entries| {
                let mut record = Record::new();
                for (key, value) in entries {
                    record.insert(&key, value);
                }
                record.into()
            })
            .boxed(),
        Shape::Structure(_) => any_record(shape).prop_map(Value::Record).boxed(),
    }
}

fn any_record(shape: &'static Shape) -> BoxedStrategy<Record> {
    let Shape::Structure(fields) = shape else { panic!("not a structure") };
    let mut whole = Just(Record::new()).boxed();
    for (index, field) in fields.iter().enumerate() {
        // A structure without members has no form in the query protocol.
        if matches!(field.shape, Shape::Structure([])) {
            continue;
        }
        let always = field.required || (index == 0 && !fields.iter().any(|field| field.required));
        let value = prop::option::weighted(if always { 0.98 } else { 0.4 }, any_value(field.shape));
        whole =
            (whole, value).prop_map(|(record, value)| record.with_some(field.name, value)).boxed();
    }
    // For the same reason, no structure is left empty.
    let first = fields.iter().find(|field| !matches!(field.shape, Shape::Structure([])));
    match first {
        Some(first) => (whole, any_value(first.shape))
            .prop_map(
                |(record, value)| {
                    if record.is_empty() { record.with(first.name, value) } else { record }
                },
            )
            .boxed(),
        None => whole,
    }
}

fn any_request() -> impl Strategy<Value = (&'static Operation, Record)> {
    (0..OPERATIONS.len()).prop_flat_map(|index| {
        let operation = &OPERATIONS[index];
        any_record(operation.input).prop_map(move |input| (operation, input))
    })
}

/// A cloud with some metrics and alarms.
fn furnished() -> CloudWatch {
    let mut cloud = CloudWatch::new("eu-west-1", "123456789012");
    for minute in 0..20_i32 {
        cloud.record(Datum {
            namespace: "NS".into(),
            name: if minute % 3 == 0 { "m" } else { "m1" }.into(),
            dimensions: if minute % 2 == 0 { vec![] } else { vec![("a".into(), "b".into())] },
            timestamp_ms: NOW - i64::from(minute) * 60_000,
            value: f64::from(minute),
            unit: Unit::Count,
        });
    }
    let put = |cloud: &mut CloudWatch, operation: &str, json: &serde_json::Value| {
        let operation = OPERATIONS.iter().find(|known| known.name == operation).unwrap();
        let input = from_json(operation.input, json).unwrap();
        let response = cloud.handle(NOW, &request(Protocol::Cbor, operation, &input));
        assert_eq!(understand(Protocol::Cbor, operation, &response), Ok(Record::new()));
    };
    for name in ["a", "b", "x y"] {
        put(
            &mut cloud,
            "PutMetricAlarm",
            &serde_json::json!({
                "AlarmName": name, "Namespace": "NS", "MetricName": "m", "Statistic": "Sum",
                "Period": 60, "EvaluationPeriods": 2, "Threshold": 3,
                "ComparisonOperator": "GreaterThanThreshold",
                "AlarmDescription": "<&>\"'\r\n\té",
            }),
        );
    }
    let rule = serde_json::json!({ "AlarmName": "comp", "AlarmRule": "ALARM(a) OR OK(b)" });
    put(&mut cloud, "PutCompositeAlarm", &rule);
    cloud.tick(NOW + 60_000);
    cloud
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_request_reads_the_same_in_every_protocol((operation, input) in any_request()) {
        for protocol in PROTOCOLS {
            let request = request(protocol, operation, &input);
            prop_assert!(is_request(&request.path, &request.headers, &request.body));
            let Ok((routed, Ok(call))) = route(&request) else { panic!("not routed") };
            prop_assert_eq!(routed, protocol);
            let read = call.decode(protocol);
            prop_assert_eq!(read.as_ref(), Ok(&input), "{:?}", protocol);
        }
    }

    #[test]
    fn requests_are_answered_the_same_in_every_protocol(
        requests in prop::collection::vec(any_request(), 1..6)
    ) {
        let mut clouds = PROTOCOLS.map(|_| furnished());
        for (step, (operation, input)) in requests.iter().enumerate() {
            let now = NOW + 61_000 + i64::try_from(step).unwrap() * 30_000;
            let mut answers = PROTOCOLS.iter().zip(&mut clouds).map(|(protocol, cloud)| {
                let response = cloud.handle(now, &request(*protocol, operation, input));
                understand(*protocol, operation, &response)
            });
            let first = answers.next().unwrap();
            for other in answers {
                prop_assert_eq!(&first, &other, "{}", operation.name);
            }
        }
        prop_assert_eq!(clouds[0].snapshot(), clouds[1].snapshot());
        prop_assert_eq!(clouds[0].snapshot(), clouds[2].snapshot());
    }

    #[test]
    fn no_body_makes_a_decoder_panic(
        body in prop::collection::vec(any::<u8>(), 0..200),
        index in 0..OPERATIONS.len(),
    ) {
        let mut cloud = furnished();
        for protocol in PROTOCOLS {
            let empty = Record::new();
            let mut request = request(protocol, &OPERATIONS[index], &empty);
            request.body.extend(&body);
            let response = cloud.handle(NOW, &request);
            prop_assert!((200..500).contains(&response.status));
        }
    }
}

/// Random requests are mostly refused; these are not.
#[test]
fn good_requests_are_answered_the_same_in_every_protocol() {
    let (from, to) = (NOW / 1_000 - 1_200, NOW / 1_000 + 120);
    let dimensions = serde_json::json!([{ "Name": "a", "Value": "b" }]);
    let metric = serde_json::json!({ "Namespace": "NS", "MetricName": "m" });
    let stat = |id: &str, wanted: bool| {
        serde_json::json!({ "Id": id, "ReturnData": wanted,
            "MetricStat": { "Metric": metric, "Period": 60, "Stat": "Sum" } })
    };
    let rate =
        serde_json::json!({ "Id": "rate", "Expression": "m1 / FILL(m2, 1)", "Label": "<r>" });
    let requests = [
        (
            "PutMetricData",
            serde_json::json!({ "Namespace": "Own", "MetricData": [
            { "MetricName": "m", "Value": 1.5, "Unit": "Count/Second", "Timestamp": 1_799_999_000.25,
                "Dimensions": dimensions },
            { "MetricName": "m", "Values": [1, 2.5], "Counts": [2, 3], "StorageResolution": 1 },
            { "MetricName": "m", "StatisticValues":
                { "SampleCount": 2, "Sum": 3, "Minimum": 1, "Maximum": 2 } },
        ], "EntityMetricData": [{ "Entity": { "KeyAttributes": { "Type": "t", "Name": "n" } },
            "MetricData": [{ "MetricName": "e", "Value": 7 }] }], "StrictEntityValidation": false }),
        ),
        (
            "GetMetricData",
            serde_json::json!({ "StartTime": from, "EndTime": to,
            "ScanBy": "TimestampAscending",
            "MetricDataQueries": [stat("m1", true), stat("m2", false), rate] }),
        ),
        (
            "GetMetricData",
            serde_json::json!({ "StartTime": from, "EndTime": to, "MaxDatapoints": 2,
            "MetricDataQueries": [stat("m1", true)] }),
        ),
        (
            "GetMetricStatistics",
            serde_json::json!({ "Namespace": "NS", "MetricName": "m1",
            "Dimensions": dimensions, "StartTime": from, "EndTime": to, "Period": 300,
            "Statistics": ["Sum", "Average"], "ExtendedStatistics": ["p50", "tm90"] }),
        ),
        (
            "PutMetricAlarm",
            serde_json::json!({ "AlarmName": "math", "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2, "Threshold": 0.5, "TreatMissingData": "ignore",
            "ComparisonOperator": "LessThanOrEqualToThreshold", "ActionsEnabled": false,
            "OKActions": ["arn:aws:sns:x:1:t"], "Tags": [{ "Key": "k", "Value": "" }],
            "Metrics": [stat("m1", false), stat("m2", false), rate] }),
        ),
        (
            "PutCompositeAlarm",
            serde_json::json!({ "AlarmName": "c2",
            "AlarmRule": "NOT ALARM(\"x y\") AND (OK(math) OR ALARM(comp))" }),
        ),
        ("DescribeAlarms", serde_json::json!({ "AlarmTypes": ["MetricAlarm", "CompositeAlarm"] })),
        ("DescribeAlarms", serde_json::json!({ "MaxRecords": 2, "StateValue": "ALARM" })),
        (
            "DescribeAlarmHistory",
            serde_json::json!({ "AlarmTypes": ["CompositeAlarm"],
            "StartDate": from, "EndDate": to, "ScanBy": "TimestampAscending" }),
        ),
        ("DescribeAlarmsForMetric", metric.clone()),
        ("ListMetrics", serde_json::json!({ "Dimensions": [{ "Name": "a" }] })),
        ("DeleteAlarms", serde_json::json!({ "AlarmNames": ["c2", "math"] })),
    ];
    let mut clouds = PROTOCOLS.map(|_| furnished());
    for (name, json) in requests {
        let operation = OPERATIONS.iter().find(|known| known.name == name).unwrap();
        let input = from_json(operation.input, &json).unwrap();
        let mut answers = PROTOCOLS.iter().zip(&mut clouds).map(|(protocol, cloud)| {
            let response = cloud.handle(NOW + 90_000, &request(*protocol, operation, &input));
            understand(*protocol, operation, &response)
        });
        let first = answers.next().unwrap();
        assert!(first.is_ok(), "{name}: {first:?}");
        for other in answers {
            assert_eq!(first, other, "{name}");
        }
    }
    assert_eq!(clouds[0].snapshot(), clouds[1].snapshot());
    assert_eq!(clouds[0].snapshot(), clouds[2].snapshot());
}

#[test]
fn answers_hold_what_xml_must_escape() {
    let mut cloud = furnished();
    let operation = OPERATIONS.iter().find(|known| known.name == "DescribeAlarms").unwrap();
    let input = Record::new().with("AlarmNames", vec!["x y"]);
    for protocol in PROTOCOLS {
        let response = cloud.handle(NOW + 61_000, &request(protocol, operation, &input));
        let output = understand(protocol, operation, &response).unwrap();
        let alarm = output.records("MetricAlarms").next().unwrap();
        assert_eq!(alarm.text("AlarmDescription"), Some("<&>\"'\r\n\té"), "{protocol:?}");
    }
}

/// The bytes of the Rust SDK: maps of indefinite length, tagged times, doubles of any width.
#[test]
fn cbor_is_read_in_all_its_forms() {
    fn text(string: &str) -> Vec<u8> {
        let mut out = vec![0x60 | u8::try_from(string.len()).unwrap()];
        out.extend(string.as_bytes());
        out
    }
    let values: [(&[u8], f64); 6] = [
        (&[0xfb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 1.5),
        (&[0xfa, 0x3f, 0xc0, 0, 0], 1.5),
        (&[0xf9, 0x3e, 0x00], 1.5),
        (&[0x07], 7.0),
        (&[0x26], -7.0),
        (&[0x19, 0x01, 0x00], 256.0),
    ];
    let times: [(&[u8], i64); 3] = [
        (&[0xc1, 0x1a, 0x6b, 0x49, 0xd2, 0x00], NOW),
        (&[0xc1, 0xfb, 0x41, 0xda, 0xd2, 0x74, 0x80, 0, 0, 0], NOW),
        (&[0xc1, 0xfb, 0x41, 0xda, 0xd2, 0x74, 0x80, 0x10, 0, 0], NOW + 250),
    ];
    for (value, number) in values {
        for (time, millis) in times {
            // {_ "Namespace": (_ "N", "S"), "MetricData": [_ {_ …}], "Unknown": null}
            let mut body = vec![0xbf];
            body.extend(text("Namespace"));
            body.extend([0x7f, 0x61, b'N', 0x61, b'S', 0xff]);
            body.extend(text("MetricData"));
            body.extend([0x9f, 0xbf]);
            body.extend(text("MetricName"));
            body.extend(text("m"));
            body.extend(text("Value"));
            body.extend(value);
            body.extend(text("Timestamp"));
            body.extend(time);
            body.extend([0xff, 0xff]);
            body.extend(text("Unknown"));
            body.extend([0xf6, 0xff]);
            let operation = OPERATIONS.iter().find(|known| known.name == "PutMetricData").unwrap();
            let input = cbor::decode(operation.input, &body).unwrap();
            assert_eq!(input.text("Namespace"), Some("NS"));
            let datum = input.records("MetricData").next().unwrap();
            assert_eq!(datum.double("Value"), Some(number));
            assert_eq!(datum.time("Timestamp"), Some(millis));
        }
    }
}

#[test]
fn doubles_and_times_are_written_wide() {
    static SHAPE: Shape = Shape::Structure(&[
        super::super::shapes::Field { name: "d", shape: &Shape::Double, required: false },
        super::super::shapes::Field { name: "t", shape: &Shape::Timestamp, required: false },
    ]);
    let record = Record::new().with("d", 1.0).with_time("t", 1_000);
    let expected = [
        0xa2, 0x61, b'd', 0xfb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0x61, b't', 0xc1, 0xfb, 0x3f, 0xf0,
        0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(cbor::encode(&SHAPE, &record), expected);
}

#[test]
fn a_request_is_told_from_those_of_other_services() {
    type Headers = Vec<(String, String)>;
    let signed = |service: &str| {
        let scope = format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20270115/eu-west-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0"
        );
        vec![("authorization".to_owned(), scope)]
    };
    let target = |name: &str| vec![("x-amz-target".to_owned(), name.to_owned())];
    let form = "Action=DescribeAlarms&Version=2010-08-01";
    let sts = "Action=GetCallerIdentity&Version=2011-06-15";
    let rows: [(&str, Headers, &str, bool); 11] = [
        ("/service/GraniteServiceVersion20100801/operation/ListMetrics", vec![], "", true),
        ("/service/CodeDeploy_20141006/operation/ListApplications", vec![], "", false),
        ("/", target("GraniteServiceVersion20100801.ListMetrics"), "{}", true),
        ("/", target("CodeDeploy_20141006.ListApplications"), "{}", false),
        ("/", signed("monitoring"), form, true),
        ("/", signed("monitoring"), "", true),
        ("/", signed("sts"), sts, false),
        ("/", vec![], form, true),
        ("/", vec![], sts, false),
        ("/", vec![], "", false),
        ("/2015-03-31/functions", signed("lambda"), "", false),
    ];
    for (path, headers, body, expected) in rows {
        assert_eq!(is_request(path, &headers, body.as_bytes()), expected, "{path} {headers:?}");
    }
}

#[test]
fn unknown_operations_and_damaged_bodies_are_refused_in_each_protocol() {
    let mut cloud = CloudWatch::new("eu-west-1", "123456789012");
    let mut send = |path: &str, header: (&str, &str), body: &[u8]| {
        let response = cloud.handle(
            NOW,
            &WireRequest {
                method: "POST".into(),
                path: path.into(),
                headers: vec![(header.0.into(), header.1.into())],
                body: body.to_vec(),
                ..Default::default()
            },
        );
        (response.status, String::from_utf8_lossy(&response.body).into_owned())
    };
    let cbor = "/service/GraniteServiceVersion20100801/operation/";
    let protocol = ("smithy-protocol", "rpc-v2-cbor");
    let target = "GraniteServiceVersion20100801.";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let rows = [
        (send(&format!("{cbor}Nope"), protocol, b""), 404, "UnknownOperationException"),
        (send("/", ("x-amz-target", &format!("{target}Nope")), b""), 400, "UnknownOperation"),
        (send("/", form, b"Action=Nope&Version=2010-08-01"), 400, "<Code>InvalidAction</Code>"),
        (send("/", form, b"Action=ListMetricStreams"), 400, "does not perform"),
        (send(&format!("{cbor}ListMetrics"), protocol, b"\xff"), 400, "SerializationException"),
        (send("/", ("x-amz-target", &format!("{target}ListMetrics")), b"{"), 400, "not JSON"),
        (
            send("/", ("x-amz-target", &format!("{target}ListMetrics")), b"{\"Namespace\":3}"),
            400,
            "Namespace: expected a string",
        ),
        (
            send("/", form, b"Action=DescribeAlarms&MaxRecords=many"),
            400,
            "MaxRecords: expected a whole number",
        ),
        (send("/", ("content-encoding", "br"), b"Action=ListMetrics"), 400, "br is not supported"),
        (send("/", ("content-encoding", "gzip"), b"Action=ListMetrics"), 400, "damaged"),
    ];
    for ((status, body), expected, part) in rows {
        assert_eq!(status, expected, "{body}");
        assert!(body.contains(part), "{body}");
    }
}

#[test]
fn a_compressed_body_is_read_and_a_bomb_is_refused() {
    use std::io::Write as _;
    let gzip = |body: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let mut cloud = CloudWatch::new("eu-west-1", "123456789012");
    let mut send = |body: &[u8]| {
        let target = format!("{SERVICE}.PutMetricData");
        cloud.handle(
            NOW,
            &WireRequest {
                method: "POST".into(),
                path: "/".into(),
                headers: vec![
                    ("x-amz-target".into(), target),
                    ("content-encoding".into(), "gzip".into()),
                ],
                body: gzip(body),
                ..Default::default()
            },
        )
    };
    let datum = b"{\"Namespace\":\"N\",\"MetricData\":[{\"MetricName\":\"m\",\"Value\":1}]}";
    assert_eq!(send(datum).status, 200);
    let bomb = send(&vec![b' '; 20_000_000]);
    assert_eq!(bomb.status, 400);
    assert!(String::from_utf8_lossy(&bomb.body).contains("longer than"));
}

#[test]
fn times_of_the_query_protocol_are_read_in_their_forms() {
    let rows = [
        ("2027-01-15T08:00:00Z", Some(NOW)),
        ("2027-01-15T08:00:00.250Z", Some(NOW + 250)),
        ("2027-01-15T09:00:00+01:00", Some(NOW)),
        ("2027-01-15T08:00:00", Some(NOW)),
        ("1800000000", Some(NOW)),
        ("yesterday", None),
    ];
    for (text, expected) in rows {
        assert_eq!(query::parse_time(text), expected, "{text}");
    }
}
