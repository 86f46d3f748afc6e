//! From the SDK's answers to the port's types.
//!
//! Invariants: what an answer must hold and does not is an error, never a default that could be
//! taken for a fact; values of environment variables are wrapped where they are first seen;
//! `Code.Location`, a presigned URL to the code, is no part of a view. Deliberately absent: judgement of
//! states; unknown ones are passed on as Lambda writes them.

use std::collections::BTreeMap;

use aws_sdk_lambda::operation::create_alias::CreateAliasOutput;
use aws_sdk_lambda::operation::create_function::CreateFunctionOutput;
use aws_sdk_lambda::operation::get_alias::GetAliasOutput;
use aws_sdk_lambda::operation::publish_version::PublishVersionOutput;
use aws_sdk_lambda::operation::update_alias::UpdateAliasOutput;
use aws_sdk_lambda::operation::update_function_code::UpdateFunctionCodeOutput;
use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationOutput;
use aws_sdk_lambda::types::{
    AliasConfiguration, AliasRoutingConfiguration, EnvironmentResponse, FunctionConfiguration,
    TracingMode, VpcConfigResponse,
};
use wavegate_core::inventory::{AliasState, ExtraVersion};
use wavegate_core::name::VersionId;
use wavegate_core::spec::{FunctionConfig, Secret, Vpc};
use wavegate_core::weight::Weight;
use wavegate_engine::ports::{CloudError, FaultKind, FunctionView};

use crate::fault::{plain, unreadable};

/// Lambda's defaults for what an answer leaves out. Source: the API reference of CreateFunction.
const MEMORY_DEFAULT_MB: i32 = 128;
const TIMEOUT_DEFAULT_S: i32 = 3;
const EPHEMERAL_DEFAULT_MB: i32 = 512;
const ARCHITECTURE_DEFAULT: &str = "x86_64";

/// An answer that describes a function. The SDK has one type per operation for the same fields.
pub(crate) trait DescribesFunction {
    /// The port's view of it.
    fn view(&self, operation: &'static str) -> Result<FunctionView, CloudError>;
}

macro_rules! describes_function {
    ($($answer:ty),+ $(,)?) => {$(
        impl DescribesFunction for $answer {
            fn view(&self, operation: &'static str) -> Result<FunctionView, CloudError> {
                let arn = self.function_arn().ok_or_else(|| unreadable(operation, "no FunctionArn"))?;
                let version = self.version().ok_or_else(|| unreadable(operation, "no Version"))?;
                let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
                let config = FunctionConfig {
                    runtime: self.runtime().map(|runtime| runtime.as_str().to_owned()),
                    handler: self.handler().filter(|text| !text.is_empty()).map(str::to_owned),
                    role: text(self.role()),
                    memory_mb: unsigned(self.memory_size().unwrap_or(MEMORY_DEFAULT_MB)),
                    timeout_s: unsigned(self.timeout().unwrap_or(TIMEOUT_DEFAULT_S)),
                    environment: environment(operation, self.environment())?,
                    description: text(self.description()),
                    architecture: self
                        .architectures()
                        .first()
                        .map_or(ARCHITECTURE_DEFAULT, |architecture| architecture.as_str())
                        .to_owned(),
                    layers: self
                        .layers()
                        .iter()
                        .filter_map(|layer| layer.arn().map(str::to_owned))
                        .collect(),
                    ephemeral_storage_mb: unsigned(
                        self.ephemeral_storage().map_or(EPHEMERAL_DEFAULT_MB, |storage| storage.size()),
                    ),
                    tracing: self.tracing_config().and_then(|tracing| tracing.mode())
                        == Some(&TracingMode::Active),
                    vpc: self.vpc_config().and_then(vpc),
                    dead_letter: self
                        .dead_letter_config()
                        .and_then(|queue| queue.target_arn())
                        .filter(|arn| !arn.is_empty())
                        .map(str::to_owned),
                };
                Ok(FunctionView {
                    arn: unqualified(arn),
                    version: version.to_owned(),
                    code_sha256: text(self.code_sha256()),
                    image_uri: None,
                    config,
                    // Services from before functions had states leave both out; there everything
                    // is ready when the call answers.
                    state: self.state().map_or("Active", |state| state.as_str()).to_owned(),
                    state_reason: self.state_reason().map(str::to_owned),
                    last_update_status: self
                        .last_update_status()
                        .map_or("Successful", |status| status.as_str())
                        .to_owned(),
                    last_update_reason: self.last_update_status_reason().map(str::to_owned),
                    revision: self.revision_id().map(str::to_owned),
                })
            }
        }
    )+};
}

describes_function!(
    CreateFunctionOutput,
    FunctionConfiguration,
    PublishVersionOutput,
    UpdateFunctionCodeOutput,
    UpdateFunctionConfigurationOutput,
);

/// An answer that describes an alias.
pub(crate) trait DescribesAlias {
    /// The port's view of it.
    fn state(&self, operation: &'static str) -> Result<AliasState, CloudError>;
}

macro_rules! describes_alias {
    ($($answer:ty),+ $(,)?) => {$(
        impl DescribesAlias for $answer {
            fn state(&self, operation: &'static str) -> Result<AliasState, CloudError> {
                let name = self.name().ok_or_else(|| unreadable(operation, "an alias without Name"))?;
                let version = self
                    .function_version()
                    .ok_or_else(|| unreadable(operation, "an alias without FunctionVersion"))?;
                // Without it no write could be a compare-and-swap.
                let revision = self
                    .revision_id()
                    .ok_or_else(|| unreadable(operation, "an alias without RevisionId"))?;
                Ok(AliasState {
                    name: name.to_owned(),
                    version: version.to_owned(),
                    extra: extra(operation, name, self.routing_config())?,
                    description: self.description().unwrap_or_default().to_owned(),
                    revision: revision.to_owned(),
                })
            }
        }
    )+};
}

describes_alias!(AliasConfiguration, CreateAliasOutput, GetAliasOutput, UpdateAliasOutput);

/// The additional version. Lambda allows one: anything else is not guessed at.
///
/// Shares between two basis points, which only others write, are rounded to the nearest.
fn extra(
    operation: &'static str,
    alias: &str,
    routing: Option<&AliasRoutingConfiguration>,
) -> Result<Option<ExtraVersion>, CloudError> {
    let weights = routing.and_then(AliasRoutingConfiguration::additional_version_weights);
    let mut weights = weights.into_iter().flatten();
    let Some((version, share)) = weights.next() else { return Ok(None) };
    let parsed = VersionId::parse(version).zip(Weight::from_share(*share));
    match (parsed, weights.next()) {
        (Some((version, weight)), None) => Ok(Some(ExtraVersion { version, weight })),
        _ => Err(plain(
            operation,
            FaultKind::Invalid,
            &format!("alias `{alias}` has a routing config wavegate cannot read"),
        )),
    }
}

/// The variables, each wrapped. Variables that Lambda cannot decrypt are not an empty set.
fn environment(
    operation: &'static str,
    environment: Option<&EnvironmentResponse>,
) -> Result<BTreeMap<String, Secret>, CloudError> {
    let Some(environment) = environment else { return Ok(BTreeMap::new()) };
    if let Some(error) = environment.error() {
        let code = error.error_code().unwrap_or("unknown");
        let words = error.message().unwrap_or_default();
        let text = format!("the environment variables cannot be read ({code}): {words}");
        return Err(plain(operation, FaultKind::Denied, &text));
    }
    let variables = environment.variables().into_iter().flatten();
    Ok(variables.map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect())
}

/// The VPC. A function that left its VPC is reported with empty lists.
fn vpc(answer: &VpcConfigResponse) -> Option<Vpc> {
    let vpc = Vpc {
        subnets: answer.subnet_ids().iter().cloned().collect(),
        security_groups: answer.security_group_ids().iter().cloned().collect(),
    };
    (vpc != Vpc::default()).then_some(vpc)
}

/// A function's ARN without a version or an alias at its end.
fn unqualified(arn: &str) -> String {
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME` has seven.
    const PARTS: usize = 7;
    arn.split(':').take(PARTS).collect::<Vec<_>>().join(":")
}

/// Lambda's sizes are never negative.
fn unsigned(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::{EnvironmentError, Layer};

    use super::*;

    fn alias(weights: &[(&str, f64)]) -> AliasConfiguration {
        let mut routing = AliasRoutingConfiguration::builder();
        for (version, share) in weights {
            routing = routing.additional_version_weights(*version, *share);
        }
        AliasConfiguration::builder()
            .name("live")
            .function_version("3")
            .revision_id("r1")
            .routing_config(routing.build())
            .build()
    }

    #[test]
    fn a_routing_config_is_read_exactly_or_refused() {
        let weight = |bp| Weight::from_bp(bp).unwrap();
        let extra =
            |version, bp| Some(ExtraVersion { version: VersionId(version), weight: weight(bp) });
        assert_eq!(alias(&[]).state("GetAlias").unwrap().extra, None);
        assert_eq!(alias(&[("4", 0.1)]).state("GetAlias").unwrap().extra, extra(4, 1000));
        assert_eq!(alias(&[("4", 0.0)]).state("GetAlias").unwrap().extra, extra(4, 0));
        assert_eq!(alias(&[("4", 1.0 / 3.0)]).state("GetAlias").unwrap().extra, extra(4, 3333));
        let bad: [&[(&str, f64)]; 5] = [
            &[("4", 0.1), ("5", 0.1)],
            &[("$LATEST", 0.1)],
            &[("4", 1.5)],
            &[("4", -0.1)],
            &[("4", f64::NAN)],
        ];
        for weights in bad {
            let error = alias(weights).state("GetAlias").unwrap_err();
            assert_eq!(error.kind, FaultKind::Invalid, "{weights:?}");
            assert!(error.message.contains("alias `live` has a routing config"), "{error}");
        }
    }

    #[test]
    fn an_alias_without_a_revision_is_no_answer() {
        let alias = AliasConfiguration::builder().name("live").function_version("3").build();
        assert_eq!(alias.state("GetAlias").unwrap_err().kind, FaultKind::Unknown);
    }

    #[test]
    fn what_lambda_leaves_out_has_lambdas_defaults() {
        let answer = FunctionConfiguration::builder()
            .function_arn("arn:aws:lambda:eu-west-1:123456789012:function:shop:7")
            .version("7")
            .layers(Layer::builder().arn("arn:layer:1").build())
            .vpc_config(VpcConfigResponse::builder().vpc_id("").build())
            .build();
        let view = answer.view("GetFunction").unwrap();
        assert_eq!(view.arn, "arn:aws:lambda:eu-west-1:123456789012:function:shop");
        assert_eq!(
            (view.state.as_str(), view.last_update_status.as_str()),
            ("Active", "Successful")
        );
        let config = view.config;
        assert_eq!(
            (config.memory_mb, config.timeout_s, config.ephemeral_storage_mb),
            (128, 3, 512)
        );
        assert_eq!((config.architecture.as_str(), config.tracing), ("x86_64", false));
        assert_eq!((config.vpc, config.dead_letter, config.description.as_str()), (None, None, ""));
        assert_eq!(config.layers, ["arn:layer:1"]);
    }

    #[test]
    fn an_undecipherable_environment_is_not_an_empty_one() {
        let error = EnvironmentError::builder().error_code("AccessDeniedException").build();
        let answer = FunctionConfiguration::builder()
            .function_arn("arn")
            .version("1")
            .environment(EnvironmentResponse::builder().error(error).build())
            .build();
        assert_eq!(answer.view("GetFunction").unwrap_err().kind, FaultKind::Denied);
    }
}
