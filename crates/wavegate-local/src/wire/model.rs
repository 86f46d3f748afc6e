//! AWS's service models: what each operation takes and gives, described once for all protocols.
//!
//! The models in `models/` are AWS's own, cut down by `models/trim.py` to the operations that the local
//! cloud performs; a test holds them against AWS's. They are read once, when a service is first called.
//!
//! Invariant: every reference of a model that was read leads to a shape of it.

mod raw;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{LazyLock, OnceLock};

use fancy_regex::Regex;

/// Lambda's model.
pub(crate) static LAMBDA: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/lambda.json")));
/// CloudWatch's model.
pub(crate) static CLOUDWATCH: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/cloudwatch.json")));
/// CodeDeploy's model.
pub(crate) static CODEDEPLOY: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/codedeploy.json")));
/// STS's model.
pub(crate) static STS: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/sts.json")));
/// IAM's model.
pub(crate) static IAM: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/iam.json")));
/// The model of CloudWatch Logs.
pub(crate) static LOGS: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/logs.json")));
/// S3's model.
pub(crate) static S3: LazyLock<Service> =
    LazyLock::new(|| raw::read(include_str!("../../models/s3.json")));

/// Every service that has a model.
pub(crate) fn services() -> [&'static Service; 7] {
    [&LAMBDA, &CLOUDWATCH, &CODEDEPLOY, &STS, &IAM, &LOGS, &S3]
}

/// How requests and answers look on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// Paths and headers carry members, the body is JSON.
    RestJson,
    /// Paths and headers carry members, the body is XML.
    RestXml,
    /// AWS JSON 1.0 and 1.1: the operation is in `x-amz-target`.
    Json,
    /// A form as request, XML as answer.
    Query,
    /// CBOR maps; the operation is in the path.
    Cbor,
}

/// A service.
#[derive(Debug)]
pub(crate) struct Service {
    /// Its name in signatures.
    pub(crate) signing_name: String,
    /// What it is called in the ids of its shapes: `com.amazonaws.NAME#SHAPE`.
    pub(crate) namespace: String,
    /// The protocols it speaks.
    pub(crate) protocols: Vec<Protocol>,
    /// The version of its API, by which unsigned forms tell it.
    pub(crate) api_version: String,
    /// What stands before the operation in `x-amz-target`.
    pub(crate) target: Option<String>,
    /// `1.0` or `1.1`, when it speaks AWS JSON.
    pub(crate) json_version: String,
    /// The namespace of its XML.
    pub(crate) xml_namespace: String,
    /// Clients of all its protocols see the error codes of the query protocol.
    pub(crate) is_query_compatible: bool,
    /// The operations the local cloud performs, by name.
    pub(crate) operations: BTreeMap<String, Operation>,
    /// Operations that the service has and the local cloud does not perform.
    pub(crate) absent: BTreeSet<String>,
    shapes: Vec<Shape>,
    errors: BTreeMap<String, ShapeId>,
}

/// A shape within its service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShapeId(usize);

/// An operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Its name.
    pub(crate) name: String,
    /// The HTTP method.
    pub(crate) method: String,
    /// The path; a single slash but for the REST protocols.
    pub(crate) path: Vec<Segment>,
    /// Parameters that the query string must have, with their value if it is fixed.
    pub(crate) query: Vec<(String, Option<String>)>,
    /// The status of an answer.
    pub(crate) status: u16,
    /// What it takes.
    pub(crate) input: Option<ShapeId>,
    /// What it gives.
    pub(crate) output: Option<ShapeId>,
    /// The element around its output in XML.
    pub(crate) wrapper: Option<String>,
}

/// A part of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// This very text.
    Fixed(String),
    /// One segment, which is the member's value.
    Label(String),
    /// All that follows.
    Rest(String),
}

/// What a value looks like.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Its name in the model.
    pub(crate) name: String,
    /// Its kind, with its parts.
    pub(crate) kind: Kind,
    /// The least value, or the least length.
    pub(crate) min: Option<f64>,
    /// The largest value, or the largest length.
    pub(crate) max: Option<f64>,
    /// The texts it may be; any when empty.
    pub(crate) choices: Vec<String>,
    /// The pattern a text must match as a whole.
    pub(crate) pattern: Option<Pattern>,
    /// Messages must not repeat it.
    pub(crate) is_sensitive: bool,
    /// What an error's code and status are.
    pub(crate) error: Option<ErrorTraits>,
    /// The root of its document in XML, if it is not called after the shape.
    pub(crate) root: Option<String>,
    /// What the constraints of its elements say at their end.
    pub(crate) elements_may_be_null: bool,
}

/// The kinds of shapes.
#[derive(Debug)]
pub(crate) enum Kind {
    /// A string.
    Text,
    /// Bytes.
    Blob,
    /// True or false.
    Boolean,
    /// A whole number.
    Integer,
    /// A double-precision number.
    Double,
    /// A point in time.
    Timestamp(TimeFormat),
    /// A list.
    List {
        /// Its elements.
        element: ShapeId,
        /// The elements' name in XML and forms.
        name: String,
        /// Elements stand in the place of the list.
        is_flattened: bool,
    },
    /// A map.
    Map {
        /// Its keys.
        key: ShapeId,
        /// Its values.
        value: ShapeId,
        /// What keys and values are called in XML and forms.
        names: (String, String),
        /// Entries stand in the place of the map.
        is_flattened: bool,
    },
    /// A structure.
    Structure {
        /// Its members by name.
        members: BTreeMap<String, Member>,
        /// The member that is the whole body.
        payload: Option<String>,
    },
}

/// How a protocol writes a point in time, if not in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFormat {
    /// As the protocol does.
    Default,
    /// `2026-11-26T12:00:00Z`.
    Iso,
    /// `Thu, 26 Nov 2026 12:00:00 GMT`.
    Http,
    /// Seconds since the epoch.
    Epoch,
}

/// A member of a structure.
#[derive(Debug)]
pub(crate) struct Member {
    /// What it looks like.
    pub(crate) shape: ShapeId,
    /// Its name on the wire.
    pub(crate) wire_name: String,
    /// Where it is, if not in the body.
    pub(crate) location: Option<Location>,
    /// A request without it is refused.
    pub(crate) is_required: bool,
    /// Its list or map is flattened.
    pub(crate) is_flattened: bool,
    /// In XML it is an attribute of its structure's element.
    pub(crate) is_attribute: bool,
}

/// Where a member is, if not in the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// In the path.
    Path,
    /// In the query string.
    Query,
    /// In a header.
    Header,
    /// In all headers whose names begin with its name.
    Headers,
    /// The status of the answer.
    Status,
}

/// What an error's shape says of it.
#[derive(Debug)]
pub(crate) struct ErrorTraits {
    /// Its code in the query protocol; the shape's name unless the model says otherwise.
    pub(crate) code: String,
    /// Its HTTP status.
    pub(crate) status: u16,
}

/// A pattern, compiled when it is first needed.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// As AWS writes it.
    pub(crate) text: String,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Whether the whole text matches. A pattern that cannot be compiled forbids nothing; a test tells
    /// which those are.
    pub(crate) fn matches(&self, text: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(text).unwrap_or(true))
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || Regex::new(&format!("^(?:{})$", self.text)).ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

impl Service {
    /// Whether it is this one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.namespace == other.namespace
    }

    /// Its namespace as errors have it. Recorded on AWS: CloudWatch's has the version of its API.
    pub(crate) fn full_namespace(&self) -> String {
        if self.is_query_compatible {
            format!("{}.v{}", self.namespace, self.api_version.replace('-', "_"))
        } else {
            self.namespace.clone()
        }
    }

    /// A shape.
    pub(crate) fn shape(&self, id: ShapeId) -> &Shape {
        &self.shapes[id.0]
    }

    /// Every shape.
    #[cfg(test)]
    pub(crate) fn all_shapes(&self) -> impl Iterator<Item = &Shape> {
        self.shapes.iter()
    }

    /// The shape of a member.
    pub(crate) fn shape_of(&self, member: &Member) -> &Shape {
        self.shape(member.shape)
    }

    /// An error's shape by its name in the model.
    pub(crate) fn error(&self, name: &str) -> Option<&Shape> {
        self.errors.get(name).map(|id| self.shape(*id))
    }

    /// Whether it speaks a protocol.
    pub(crate) fn speaks(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol)
    }
}

impl Shape {
    /// The members of a structure; none of anything else.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&String, &Member)> {
        match &self.kind {
            Kind::Structure { members, .. } => Some(members.iter()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }

    /// A member of a structure.
    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Structure { members, .. } => members.get(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_read() {
        for service in services() {
            assert!(!service.operations.is_empty(), "{}", service.namespace);
            for operation in service.operations.values() {
                for id in [operation.input, operation.output].into_iter().flatten() {
                    assert!(matches!(service.shape(id).kind, Kind::Structure { .. }));
                }
            }
        }
    }

    #[test]
    fn every_pattern_can_be_compiled() {
        let broken: Vec<&str> = services()
            .into_iter()
            .flat_map(|service| &service.shapes)
            .filter_map(|shape| shape.pattern.as_ref())
            .filter(|pattern| pattern.regex().is_none())
            .map(|pattern| pattern.text.as_str())
            .collect();
        assert_eq!(broken, Vec::<&str>::new());
    }

    #[test]
    fn a_pattern_matches_the_whole_text() {
        let pattern = Pattern { text: "(?!^[0-9]+$)([a-z0-9]+)".into(), compiled: OnceLock::new() };
        assert!(pattern.matches("a1") && !pattern.matches("11") && !pattern.matches("a1!"));
    }
}
