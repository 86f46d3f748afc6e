//! From an HTTP request to an operation and back, in the two protocols that AWS's model lists: AWS JSON
//! 1.1, which all clients speak, and rpc-v2-cbor.
//!
//! Operations know JSON alone; CBOR is turned into it and back. For that it takes the names of the
//! members that are timestamps: CBOR marks them, JSON has seconds.

mod cbor;

use serde_json::{Value, json};

use super::fault::{Fault, FaultKind};
use crate::wire::{Answer, Request};

/// The service's name in `x-amz-target` and in the paths of rpc-v2-cbor.
const SERVICE: &str = "CodeDeploy_20141006";
/// Operations that answer with nothing.
const SILENT: [&str; 4] =
    ["ContinueDeployment", "DeleteApplication", "DeleteDeploymentConfig", "UpdateApplication"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Json,
    Cbor,
}

/// Whether a request is for CodeDeploy: by the target of AWS JSON, the path of rpc-v2-cbor, or the scope
/// of its signature.
pub(crate) fn is_request(request: &Request) -> bool {
    if let Some(target) = request.header("x-amz-target") {
        return target.split('.').next() == Some(SERVICE);
    }
    request.path.starts_with(&format!("/service/{SERVICE}/"))
        || (request.path == "/" && request.signed_service().as_deref() == Some("codedeploy"))
}

/// Which operation a request means, and in which protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// The operation's name; empty when the request names none.
    pub(crate) operation: String,
    protocol: Protocol,
}

impl Call {
    /// What a request of CodeDeploy's means.
    pub(crate) fn of(request: &Request) -> Self {
        let target = request.header("x-amz-target").and_then(|target| target.split_once('.'));
        if let Some((_, operation)) = target {
            return Self { operation: operation.to_owned(), protocol: Protocol::Json };
        }
        match request.path.strip_prefix(&format!("/service/{SERVICE}/operation/")) {
            Some(operation) => Self { operation: operation.to_owned(), protocol: Protocol::Cbor },
            None => Self { operation: String::new(), protocol: Protocol::Json },
        }
    }

    /// What the request gives the operation. An empty body gives nothing.
    pub(crate) fn input(&self, request: &Request) -> Result<Value, Fault> {
        let body = &request.body;
        let read = match self.protocol {
            _ if body.is_empty() => Ok(json!({})),
            Protocol::Json => serde_json::from_slice(body).map_err(|error| error.to_string()),
            Protocol::Cbor => cbor::read(body),
        };
        match read {
            Ok(input) if input.is_object() => Ok(input),
            Ok(_) => Err(Fault::new(FaultKind::Serialization, "The request is no structure")),
            Err(why) => {
                let message = format!("The request cannot be read: {why}");
                Err(Fault::new(FaultKind::Serialization, message))
            }
        }
    }

    /// The answer to the request.
    pub(crate) fn answer(&self, outcome: Result<Value, Fault>) -> Answer {
        let (status, body) = match outcome {
            Ok(_) if self.protocol == Protocol::Cbor && self.is_silent() => {
                return self.mark(Answer::empty(200));
            }
            Ok(output) => (200, output),
            Err(fault) => {
                let name = match self.protocol {
                    Protocol::Json => fault.kind.name(),
                    Protocol::Cbor => format!("{}#{}", fault.kind.namespace(), fault.kind.name()),
                };
                (fault.kind.status(), json!({ "__type": name, "message": fault.message }))
            }
        };
        let answer = Answer::empty(status);
        self.mark(match self.protocol {
            Protocol::Json => answer.with_body("application/x-amz-json-1.1", body.to_string()),
            Protocol::Cbor => answer.with_body("application/cbor", cbor::write(&body)),
        })
    }

    fn mark(&self, answer: Answer) -> Answer {
        match self.protocol {
            Protocol::Json => answer,
            Protocol::Cbor => answer.with_header("smithy-protocol", "rpc-v2-cbor"),
        }
    }

    fn is_silent(&self) -> bool {
        SILENT.contains(&self.operation.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Request {
        Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            body: body.into(),
        }
    }

    #[test]
    fn the_operation_is_in_the_target_or_in_the_path() {
        let json = request("/", &[("x-amz-target", "CodeDeploy_20141006.GetDeployment")], vec![]);
        let path = "/service/CodeDeploy_20141006/operation/GetDeployment";
        let cbor = request(path, &[], vec![]);
        for (request, protocol) in [(json, Protocol::Json), (cbor, Protocol::Cbor)] {
            assert!(is_request(&request));
            let call = Call::of(&request);
            assert_eq!((call.operation.as_str(), call.protocol), ("GetDeployment", protocol));
            assert_eq!(call.input(&request), Ok(json!({})));
        }
        let other = request("/", &[("x-amz-target", "Logs_20140328.PutLogEvents")], vec![]);
        assert!(!is_request(&other));
    }

    #[test]
    fn what_cannot_be_read_is_refused_in_the_protocol_of_the_request() {
        let target = [("x-amz-target", "CodeDeploy_20141006.GetDeployment")];
        let request = request("/", &target, b"[1]".to_vec());
        let call = Call::of(&request);
        let answer = call.answer(call.input(&request));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["__type"]), (400, &json!("SerializationException")));
    }

    #[test]
    fn cbor_says_the_same_as_json() {
        let path = "/service/CodeDeploy_20141006/operation/ListDeployments";
        let input =
            json!({ "createTimeRange": { "start": 1.5, "end": 2.0 }, "x": [true, null, -7] });
        let call = Call::of(&request(path, &[], vec![]));
        let read = call.input(&request(path, &[], cbor::write(&input))).unwrap();
        assert_eq!(read, input);
        let answer = call.answer(Err(Fault::new(FaultKind::InvalidTimeRange, "no")));
        assert_eq!(
            cbor::read(&answer.body).unwrap(),
            json!({ "__type": "com.amazonaws.codedeploy#InvalidTimeRangeException", "message": "no" })
        );
    }

    #[test]
    fn an_operation_without_output_answers_cbor_with_nothing() {
        let path = "/service/CodeDeploy_20141006/operation/DeleteApplication";
        let answer = Call::of(&request(path, &[], vec![])).answer(Ok(json!({})));
        assert!(answer.body.is_empty());
        assert!(!answer.headers.iter().any(|(name, _)| name == "content-type"));
    }
}
