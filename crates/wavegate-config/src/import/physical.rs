//! The physical ids of resources: what `Ref` and `GetAtt` come to where the template names the resource.
//!
//! CloudFormation makes up the names that a template leaves open; those stay holes. Of the many kinds
//! of resources the ones are here that functions refer to in their environment, roles and queues.
//! Source: the "Return values" section of each type in CloudFormation's reference.

use crate::import::cfn::Template;
use crate::import::value::Text;
use crate::import::yaml::Node;

/// What a `Ref` is.
#[derive(Clone, Copy)]
enum Is {
    Name,
    Arn,
    QueueUrl,
}

/// How a kind of resource is named.
struct Kind {
    types: &'static [&'static str],
    /// The property that names it.
    name: &'static str,
    reference: Is,
    /// The ARN; `{p}`, `{r}`, `{a}` and `{n}` are partition, region, account and name.
    arn: &'static str,
    /// Attributes that are the name again.
    same: &'static [&'static str],
}

const KINDS: &[Kind] = &[
    Kind {
        types: FUNCTIONS,
        name: "FunctionName",
        reference: Is::Name,
        arn: "arn:{p}:lambda:{r}:{a}:function:{n}",
        same: &[],
    },
    Kind {
        types: &[
            "AWS::DynamoDB::Table",
            "AWS::DynamoDB::GlobalTable",
            "AWS::Serverless::SimpleTable",
        ],
        name: "TableName",
        reference: Is::Name,
        arn: "arn:{p}:dynamodb:{r}:{a}:table/{n}",
        same: &[],
    },
    Kind {
        types: &["AWS::SQS::Queue"],
        name: "QueueName",
        reference: Is::QueueUrl,
        arn: "arn:{p}:sqs:{r}:{a}:{n}",
        same: &["QueueName"],
    },
    Kind {
        types: &["AWS::SNS::Topic"],
        name: "TopicName",
        reference: Is::Arn,
        arn: "arn:{p}:sns:{r}:{a}:{n}",
        same: &["TopicName"],
    },
    Kind {
        types: &["AWS::S3::Bucket"],
        name: "BucketName",
        reference: Is::Name,
        arn: "arn:{p}:s3:::{n}",
        same: &[],
    },
    Kind {
        types: &["AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"],
        name: "AlarmName",
        reference: Is::Name,
        arn: "arn:{p}:cloudwatch:{r}:{a}:alarm:{n}",
        same: &[],
    },
    Kind {
        types: &["AWS::IAM::Role"],
        name: "RoleName",
        reference: Is::Name,
        arn: "arn:{p}:iam::{a}:role/{n}",
        same: &[],
    },
    Kind {
        types: &["AWS::Kinesis::Stream"],
        name: "Name",
        reference: Is::Name,
        arn: "arn:{p}:kinesis:{r}:{a}:stream/{n}",
        same: &[],
    },
    Kind {
        types: &["AWS::Events::EventBus"],
        name: "Name",
        reference: Is::Name,
        arn: "arn:{p}:events:{r}:{a}:event-bus/{n}",
        same: &["Name"],
    },
    Kind {
        types: &["AWS::StepFunctions::StateMachine"],
        name: "StateMachineName",
        reference: Is::Arn,
        arn: "arn:{p}:states:{r}:{a}:stateMachine:{n}",
        same: &["Name"],
    },
    Kind {
        types: &["AWS::Serverless::StateMachine"],
        name: "Name",
        reference: Is::Arn,
        arn: "arn:{p}:states:{r}:{a}:stateMachine:{n}",
        same: &["Name"],
    },
    Kind {
        types: &["AWS::Logs::LogGroup"],
        name: "LogGroupName",
        reference: Is::Name,
        arn: "arn:{p}:logs:{r}:{a}:log-group:{n}:*",
        same: &[],
    },
    Kind { types: &["AWS::SSM::Parameter"], name: "Name", reference: Is::Name, arn: "", same: &[] },
    Kind {
        types: &["AWS::CodeDeploy::DeploymentConfig"],
        name: "DeploymentConfigName",
        reference: Is::Name,
        arn: "",
        same: &[],
    },
];

/// The types of functions.
pub(crate) const FUNCTIONS: &[&str] = &["AWS::Serverless::Function", "AWS::Lambda::Function"];

/// The type of a resource.
pub(crate) fn type_of(resource: &Node) -> &str {
    resource.get("Type").and_then(Node::text).unwrap_or_default()
}

/// Whether a resource is a function.
pub(crate) fn is_function(resource: Option<&Node>) -> bool {
    resource.is_some_and(|resource| FUNCTIONS.contains(&type_of(resource)))
}

/// What a reference comes to; `None` if the template does not tell.
pub(crate) fn of(
    template: &Template<'_>,
    id: &str,
    resource: &Node,
    made: Option<&str>,
    attribute: Option<&str>,
) -> Option<Text> {
    let kind = KINDS.iter().find(|kind| kind.types.contains(&type_of(resource)))?;
    let properties = resource.get("Properties");
    let said = properties.and_then(|properties| properties.get(kind.name));
    let said = said.and_then(|node| template.resolve(node).as_text().cloned());
    let name = said.or_else(|| template.function_name(id).map(Text::known));
    // A role may live under a path, which is a part of its ARN.
    let path = properties.and_then(|properties| properties.get("Path"));
    let name = match path.and_then(|path| template.resolve(path).known()) {
        Some(path) if kind.name == "RoleName" && attribute == Some("Arn") => {
            let mut whole = Text::known(path.trim_start_matches('/'));
            whole.push(&name?);
            whole
        }
        _ => name?,
    };
    if let Some(made) = made {
        return match (made, attribute) {
            ("Alias", None) => {
                let alias = properties?.get("AutoPublishAlias")?;
                let alias = template.resolve(alias).as_text()?.clone();
                let mut arn = filled(template, kind.arn, &name).then(":");
                arn.push(&alias);
                Some(arn)
            }
            // A version's number is known once it was published.
            _ => None,
        };
    }
    match attribute {
        None => Some(match kind.reference {
            Is::Name => name,
            Is::Arn => filled(template, kind.arn, &name),
            Is::QueueUrl => filled(template, "https://sqs.{r}.{s}/{a}/{n}", &name),
        }),
        Some("Arn" | "TopicArn") if !kind.arn.is_empty() => Some(filled(template, kind.arn, &name)),
        Some("QueueUrl") => Some(filled(template, "https://sqs.{r}.{s}/{a}/{n}", &name)),
        Some(attribute) if kind.same.contains(&attribute) => Some(name),
        Some(_) => None,
    }
}

fn filled(template: &Template<'_>, pattern: &str, name: &Text) -> Text {
    let mut done = Text::default();
    let mut rest = pattern;
    while let Some(at) = rest.find('{') {
        done.push_known(&rest[..at]);
        match &rest[at..at + 3] {
            "{p}" => done.push(&template.pseudo_text("AWS::Partition")),
            "{r}" => done.push(&template.pseudo_text("AWS::Region")),
            "{a}" => done.push(&template.pseudo_text("AWS::AccountId")),
            "{s}" => done.push(&template.pseudo_text("AWS::URLSuffix")),
            _ => done.push(name),
        }
        rest = &rest[at + 3..];
    }
    done.push_known(rest);
    done
}
